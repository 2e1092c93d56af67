package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/models/backend"
	"wsss/train/batches"
	"wsss/train/loop"
	"wsss/train/optim"
)

// Begin is loop.Task's: it loads the batches of the updates after step.
func (r *run) Begin(ctx context.Context, step int) (end func(), err error) {
	t := r.Config
	n := (t.Iterations - step) * t.Accumulate
	next, stop := r.load.prefetch(ctx, int64(step)*int64(t.Accumulate)*int64(t.Batch), n, t.Workers)
	take, stopTake := r.feed(ctx, n, next)
	r.take = take
	return func() { stopTake(); stop() }, nil
}

// feed gives n batches of next on the device, on XLA one ahead.
func (r *run) feed(ctx context.Context, n int, next func() (*batch, error)) (take func() (placed, error), stop func()) {
	return batches.Feed(ctx, backend.KindOf(r.Backend) == backend.XLA, n, next, r.place, func(p placed) { p.Free() })
}

// Update is loop.Task's.
func (r *run) Update(step int) (loop.Update, error) {
	k := r.Config.Accumulate
	var rec Record
	var ids []string
	drawn := make([]placed, 0, k)
	defer func() {
		for _, b := range drawn {
			b.Free()
		}
	}()
	rates := r.sched.Scalars(step)
	for _, v := range rates[:optim.InNumber] {
		rec.LR = append(rec.LR, float64(v.(float32)))
	}
	for range k {
		b, err := r.take()
		if err != nil {
			return loop.Update{}, err
		}
		drawn = append(drawn, b)
		ids = append(ids, b.ids...)
	}
	losses, norm, err := r.compute(drawn, rates)
	if err != nil {
		return loop.Update{}, err
	}
	for i, loss := range losses {
		if !loop.Finite(loss) {
			return loop.Update{}, &loop.NotFiniteError{What: "loss", Value: loss, IDs: drawn[i].ids}
		}
		rec.Loss += loss / float64(k)
	}
	rec.GradNorm = norm
	rec.Step = step + 1
	if len(r.ids) > 0 {
		rec.Epoch = float64(int64(rec.Step)*int64(k)*int64(r.Config.Batch)) / float64(len(r.ids))
	}
	if step == 0 && r.Config.FitBatch {
		rec.Batch, rec.Accumulate = r.Config.Batch, k
	}
	r.watchUpdate(&rec)
	return loop.Update{Loss: rec.Loss, GradNorm: rec.GradNorm, IDs: ids, Record: rec}, nil
}

// compute runs the graphs of an update on its batches, and returns the loss of each
// and the norm of the gradient.
func (r *run) compute(drawn []placed, rates []any) (losses []float64, norm float64, err error) {
	inputs := rates
	if r.early != nil {
		inputs = append(slices.Clip(rates), r.early.Learned())
	}
	scalars, err := r.devices.Scalars(inputs)
	if err != nil {
		return nil, 0, err
	}
	if r.graphs.whole != nil {
		out, counts, err := call(r.graphs.whole.Call, append(slices.Clip(drawn[0].Args), scalars...)...)
		if err != nil {
			return nil, 0, err
		}
		r.watchCounts(counts)
		return out[:1], math.Sqrt(out[1]), nil
	}
	rates, learned := scalars[:optim.NumScalars], scalars[optim.NumScalars:]
	for _, b := range drawn {
		out, counts, err := call(r.graphs.add.Call, slices.Concat(b.Args, rates[optim.InNumber:optim.InNumber+1], learned)...)
		if err != nil {
			return nil, 0, err
		}
		r.watchCounts(counts)
		losses = append(losses, out[0])
	}
	out, _, err := call(r.graphs.apply.Call, rates...)
	if err != nil {
		return nil, 0, err
	}
	return losses, math.Sqrt(out[0]), nil
}

// watchCounts adds the counts of a batch.
func (r *run) watchCounts(counts []float32) {
	if r.early != nil {
		r.early.Add(counts)
	}
}

// watchUpdate tells which classes are learnt after an update.
func (r *run) watchUpdate(rec *Record) {
	if r.early == nil {
		return
	}
	iou, learnt := r.early.After(rec.Step)
	rec.Agreement = iou
	for _, c := range learnt {
		name := r.Classes.Names[c]
		rec.Learned = append(rec.Learned, name)
		r.Log(fmt.Sprintf("step %d: %s is learnt (IoU with its labels %.2f): from now on train.noise acts on its pixels", rec.Step, name, iou[c]))
	}
}

// call runs a graph whose results are scalars, and perhaps a table.
func call(exec func(...any) ([]*tensors.Tensor, error), in ...any) (values []float64, table []float32, err error) {
	var out []*tensors.Tensor
	if caught := exceptions.TryCatch[error](func() { out, err = exec(in...) }); caught != nil {
		err = caught
	}
	if err != nil {
		return nil, nil, err
	}
	for _, t := range out {
		flat, err := tensors.CopyFlatData[float32](t)
		if err != nil {
			return nil, nil, err
		}
		if t.Rank() == 0 {
			values = append(values, float64(flat[0]))
		} else {
			table = flat
		}
		_ = t.FinalizeAll()
	}
	return values, table, nil
}
