package multilabel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints"
	"wsss/models/backend"
	"wsss/train/batches"
	"wsss/train/parallel"
	"wsss/train/runlog"
)

// updates runs what is left.
func (r *run) updates(ctx context.Context) error {
	l := &loader{Examples: r.train, net: r.net, batch: r.Batch, shuffle: &batches.Order{Seed: r.Seed, N: len(r.train.IDs)}}
	next, stop := l.prefetch(ctx, int64(r.step)*int64(r.Batch), r.total-r.step, r.Workers)
	defer stop()
	if r.pending {
		if err := r.after(ctx); err != nil {
			return err
		}
	}
	take, stopTake := r.feed(ctx, r.total-r.step, next)
	defer stopTake()
	for r.step < r.total {
		b, err := take()
		if err != nil {
			if ctx.Err() != nil {
				return r.interrupted(ctx)
			}
			return err
		}
		rec, err := r.one(b)
		b.Free()
		if err != nil {
			return err
		}
		if err := r.log.Add(rec); err != nil {
			return err
		}
		r.Progress(r.step, r.total)
		if err := r.after(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
	}
	return nil
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

// one is one update.
func (r *run) one(b placed) (Record, error) {
	scalars := r.net.Scalars(r.step, r.total, r.perEpoch)
	loss, norm, err := r.update.Run(b.Inputs, scalars)
	if err != nil {
		return Record{}, err
	}
	r.step++
	rec := Record{Step: r.step, Loss: loss, LR: float64(scalars[0]), GradNorm: norm}
	if sum := rec.Loss + rec.GradNorm; math.IsNaN(sum) || math.IsInf(sum, 0) {
		err := fmt.Errorf("update %d: the loss is %g and the gradient %g: images %s; the last checkpoint is of step %d. Lower %s.optimizer.lr (%g), or look at these images",
			r.step, rec.Loss, rec.GradNorm, strings.Join(b.ids, ", "), r.meta.Step, r.Table, r.LR)
		return rec, errors.Join(err, r.log.Add(Record{Step: r.step, Event: err.Error()}))
	}
	return rec, nil
}

// validates tells whether the current step is followed by a validation.
func (r *run) validates() bool {
	every := r.ValEvery.Updates(r.perEpoch)
	return r.val != nil && r.step > 0 && (r.step == r.total || every > 0 && r.step%every == 0)
}

// unvalidated tells whether the current step lacks its validation in the log.
func (r *run) unvalidated() (bool, error) {
	if !r.validates() {
		return false, nil
	}
	log, err := r.records()
	return !slices.ContainsFunc(log, func(rec Record) bool { return rec.Step == r.step && rec.Val != nil }), err
}

func (r *run) records() ([]Record, error) {
	return runlog.Read[Record](filepath.Join(r.OutDir, runlog.File))
}

// after validates and saves where the update just done calls for it.
func (r *run) after(ctx context.Context) error {
	if r.validates() {
		scores, err := r.score(ctx, r.val)
		if ctx.Err() != nil {
			return r.interrupted(ctx) // the next call begins with this validation
		}
		if err != nil {
			return err
		}
		m, err := Measure(r.val, scores, nil, 1)
		if err != nil {
			return err
		}
		if err := r.log.Add(Record{Step: r.step, Val: m}); err != nil {
			return err
		}
		r.Log(fmt.Sprintf("step %d: mAP %.2f %% on %d images", r.step, 100*m.MAP, m.Images))
		if r.meta.BestStep == 0 || m.MAP > r.meta.BestMIoU {
			r.meta.BestStep, r.meta.BestMIoU = r.step, m.MAP // the field holds the measure of this training
		}
	}
	if r.regular(r.step) || r.meta.BestStep == r.step {
		return r.save()
	}
	return nil
}

// regular tells the steps that an undisturbed run saves.
func (r *run) regular(step int) bool {
	every := r.CheckpointEvery.Updates(r.perEpoch)
	if every == 0 {
		every = r.perEpoch
	}
	return step%every == 0 || step == r.total
}

func (r *run) interrupted(ctx context.Context) error {
	if r.step > r.meta.Step {
		if err := r.save(); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	r.Log(fmt.Sprintf("stopped after step %d of %d; the same command goes on from there", r.step, r.total))
	return context.Cause(ctx)
}

// result exports the best checkpoint and says what came out.
func (r *run) result() (*Result, error) {
	res := &Result{Best: r.last, BestStep: r.step, Steps: r.step, From: r.from, Skipped: r.from == r.total}
	log, err := r.records()
	if err != nil {
		return nil, err
	}
	if r.meta.BestStep > 0 {
		res.BestStep, res.Best = r.meta.BestStep, filepath.Join(r.OutDir, checkpoints.FileName(r.meta.BestStep))
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
