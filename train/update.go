package train

import (
	"context"
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
	scalars, err := r.devices.Scalars(rates)
	if err != nil {
		return loop.Update{}, err
	}
	for range k {
		b, err := r.take()
		if err != nil {
			return loop.Update{}, err
		}
		drawn = append(drawn, b)
	}
	for _, b := range drawn {
		ids = append(ids, b.ids...)
		in := slices.Clip(b.Args)
		if k == 1 {
			out, err := call(r.graphs.whole.Call, append(in, scalars...)...)
			if err != nil {
				return loop.Update{}, err
			}
			rec.Loss, rec.GradNorm = out[0], math.Sqrt(out[1])
			break
		}
		out, err := call(r.graphs.add.Call, append(in, scalars[optim.InNumber])...)
		if err != nil {
			return loop.Update{}, err
		}
		rec.Loss += out[0] / float64(k)
		if !loop.Finite(out[0]) {
			return loop.Update{}, &loop.NotFiniteError{What: "loss", Value: out[0], IDs: b.ids}
		}
	}
	if k > 1 {
		out, err := call(r.graphs.apply.Call, scalars...)
		if err != nil {
			return loop.Update{}, err
		}
		rec.GradNorm = math.Sqrt(out[0])
	}
	rec.Step = step + 1
	if len(r.ids) > 0 {
		rec.Epoch = float64(int64(rec.Step)*int64(k)*int64(r.Config.Batch)) / float64(len(r.ids))
	}
	return loop.Update{Loss: rec.Loss, GradNorm: rec.GradNorm, IDs: ids, Record: rec}, nil
}

// call runs a graph whose results are scalars.
func call(exec func(...any) ([]*tensors.Tensor, error), in ...any) (values []float64, err error) {
	var out []*tensors.Tensor
	if caught := exceptions.TryCatch[error](func() { out, err = exec(in...) }); caught != nil {
		err = caught
	}
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		v, err := t.ValueSafe()
		if err != nil {
			return nil, err
		}
		values = append(values, float64(v.(float32)))
		_ = t.FinalizeAll()
	}
	return values, nil
}
