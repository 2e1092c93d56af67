package multilabel

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"wsss/checkpoints"
	"wsss/data/words"
	"wsss/models/backend"
	"wsss/train/batches"
	"wsss/train/loop"
	"wsss/train/parallel"
	"wsss/train/runlog"
)

// Begin is loop.Task's: it loads the batches of the updates after step.
func (r *run) Begin(ctx context.Context, step int) (end func(), err error) {
	order, err := batches.NewOrder(r.Dataset, r.train.IDs, r.Seed)
	if err != nil {
		return nil, err
	}
	l := &loader{Examples: r.train, net: r.net, batch: r.Batch, shuffle: order}
	n := r.total - step
	next, stop := l.prefetch(ctx, int64(step)*int64(r.Batch), n, r.Workers)
	take, stopTake := r.feed(ctx, n, next)
	r.take = take
	return func() { stopTake(); stop() }, nil
}

// placed is a batch as the update takes it.
type placed struct {
	ids []string
	*parallel.Inputs
}

func (r *run) place(b *batch) (placed, error) {
	in, err := r.update.Place(b.images, b.targets, b.known)
	if err != nil {
		in.Free()
	}
	return placed{b.ids, in}, err
}

// feed gives n batches of next on the device, on XLA one ahead.
func (r *run) feed(ctx context.Context, n int, next func() (*batch, error)) (take func() (placed, error), stop func()) {
	return batches.Feed(ctx, backend.KindOf(r.Backend) == backend.XLA, n, next, r.place, func(p placed) { p.Free() })
}

// Update is loop.Task's.
func (r *run) Update(step int) (loop.Update, error) {
	b, err := r.take()
	if err != nil {
		return loop.Update{}, err
	}
	defer b.Free()
	scalars := r.net.Scalars(step, r.total, r.perEpoch)
	loss, norm, err := r.update.Run(b.Inputs, scalars)
	if err != nil {
		return loop.Update{}, err
	}
	return loop.Update{Loss: loss, GradNorm: norm, IDs: b.ids,
		Record: Record{Step: step + 1, Loss: loss, LR: float64(scalars[0]), GradNorm: norm}}, nil
}

// Validate is loop.Task's.
func (r *run) Validate(ctx context.Context, step int) (loop.Validation, error) {
	scores, err := r.score(ctx, r.val)
	if err != nil {
		return loop.Validation{}, err
	}
	m, err := Measure(r.val, scores, nil, 1)
	if err != nil {
		return loop.Validation{}, err
	}
	return loop.Validation{Value: m.MAP, Record: Record{Step: step, Val: m}, Text: fmt.Sprintf("mAP %.2f %% on %s", 100*m.MAP, words.Plural(m.Images, "image"))}, nil
}

func (r *run) records() ([]Record, error) {
	return runlog.Read[Record](filepath.Join(r.OutDir, runlog.File))
}

// result exports the best checkpoint and says what came out.
func (r *run) result() (*Result, error) {
	l := r.loop
	res := &Result{Steps: l.Step, From: l.From, Skipped: l.From == r.total}
	res.Best, res.BestStep = l.Best()
	log, err := r.records()
	if err != nil {
		return nil, err
	}
	for _, rec := range log {
		if rec.Val != nil && rec.Step == res.BestStep {
			res.Val = rec.Val
		}
	}
	c, err := checkpoints.Open(res.Best)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	d := Description{Classes: r.Dataset.Classes().Names, Threshold: slices.Repeat([]float64{0.5}, r.train.Classes), Val: res.Val, Step: res.BestStep}
	if res.Val != nil {
		d.Threshold = res.Val.Threshold
	}
	res.Classifier, err = r.net.Export(c, r.OutDir, d)
	return res, err
}
