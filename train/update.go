package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/models/backend"
	"wsss/train/batches"
)

// train runs the updates that are left.
func (r *run) train(ctx context.Context) error {
	t := r.Config
	n := (t.Iterations - r.step) * t.Accumulate
	first := int64(r.step) * int64(t.Accumulate) * int64(t.Batch)
	next, stop := r.load.prefetch(ctx, first, n, t.Workers)
	defer stop()
	take, stopTake := r.feed(ctx, n, next)
	defer stopTake()
	for r.step < t.Iterations {
		rec, err := r.update(take)
		if err != nil && errors.Is(err, ctx.Err()) {
			return r.interrupted(ctx)
		}
		if err != nil {
			return err
		}
		r.step++
		rec.Step = r.step
		rec.Epoch = float64(r.drawn()) / float64(len(r.ids))
		if err := r.record(rec); err != nil {
			return err
		}
		if err := r.watch.add(rec.Loss); err != nil {
			return errors.Join(err, r.record(Record{Step: r.step, Event: err.Error()}))
		}
		r.Updated(rec)
		r.Progress(r.step, t.Iterations)
		if err := r.after(ctx); err != nil {
			return err // a validation cut short is repeated from the last checkpoint
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
	}
	return nil
}

// feed gives n batches of next on the device, on XLA one ahead.
func (r *run) feed(ctx context.Context, n int, next func() (*batch, error)) (take func() (placed, error), stop func()) {
	return batches.Feed(ctx, backend.KindOf(r.Backend) == backend.XLA, n, next, r.place, func(p placed) { p.Free() })
}

func (r *run) drawn() int64 {
	return int64(r.step) * int64(r.Config.Accumulate) * int64(r.Config.Batch)
}

// update is one optimiser update. It returns before it touches a variable if
// its first batch does not come.
func (r *run) update(next func() (placed, error)) (Record, error) {
	k := r.Config.Accumulate
	var rec Record
	drawn := make([]placed, 0, k)
	defer func() {
		for _, b := range drawn {
			b.Free()
		}
	}()
	rates := r.sched.scalars(r.step)
	for _, v := range rates[:inUpdate] {
		rec.LR = append(rec.LR, float64(v.(float32)))
	}
	scalars, err := r.devices.Scalars(rates)
	if err != nil {
		return rec, err
	}
	for range k {
		b, err := next()
		if err != nil {
			return rec, err
		}
		drawn = append(drawn, b)
	}
	var ids []string
	for _, b := range drawn {
		ids = append(ids, b.ids...)
		in := slices.Clip(b.Args)
		if k == 1 {
			out, err := call(r.graphs.whole.Call, append(in, scalars...)...)
			if err != nil {
				return rec, err
			}
			rec.Loss, rec.GradNorm = out[0], math.Sqrt(out[1])
			break
		}
		out, err := call(r.graphs.add.Call, append(in, scalars[inUpdate])...)
		if err != nil {
			return rec, err
		}
		rec.Loss += out[0] / float64(k)
		if !finite(out[0]) {
			return rec, r.notFinite("loss", out[0], b.ids)
		}
	}
	if k > 1 {
		out, err := call(r.graphs.apply.Call, scalars...)
		if err != nil {
			return rec, err
		}
		rec.GradNorm = math.Sqrt(out[0])
	}
	if !finite(rec.Loss) {
		return rec, r.notFinite("loss", rec.Loss, ids)
	}
	if !finite(rec.GradNorm) {
		return rec, r.notFinite("gradient", rec.GradNorm, ids)
	}
	return rec, nil
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

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// notFinite stops a training whose weights are about to be lost. The
// checkpoint before it stays the newest.
func (r *run) notFinite(what string, value float64, ids []string) error {
	err := fmt.Errorf("update %d: the %s is %g: images %s; the last checkpoint is of step %d. Lower train.optimizer.lr (%g), or look at these images and their labels",
		r.step+1, what, value, strings.Join(ids, ", "), r.meta.Step, r.Config.LR)
	if logErr := r.record(Record{Step: r.step + 1, Event: err.Error()}); logErr != nil {
		return errors.Join(err, logErr)
	}
	return err
}
