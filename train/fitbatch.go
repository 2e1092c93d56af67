package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/data"
	"wsss/models"
	"wsss/models/backend"
	"wsss/train/early"
	"wsss/train/optim"
	"wsss/train/parallel"
)

// fitBatch chooses how many of the images of an update are computed at a time,
// where train.compute.fit_batch asks for it: for a new training as many as fit into
// memory, for one that goes on as many as before.
func (r *run) fitBatch(ctx context.Context) error {
	t := &r.Config
	if !t.FitBatch {
		return nil
	}
	if err := backend.CheckPrecision(r.Backend, t.Precision); err != nil {
		return fmt.Errorf("train.compute.precision: %w", err)
	}
	if c, err := checkpoints.Latest(r.OutDir, nil); err == nil {
		defer c.Close()
		was := c.Meta.Model.Train
		if c.Meta.ConfigHash == r.ConfigHash && was.Batch*was.Accumulate == t.Batch*t.Accumulate {
			t.Batch, t.Accumulate = was.Batch, was.Accumulate
			return nil
		}
	}
	images := t.Batch * t.Accumulate
	sizes := r.batchSizes()
	if len(sizes) == 0 {
		return CheckBatch(*t)
	}
	try := func(batch int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return r.tryBatch(batch)
	}
	batch, how, err := 0, "", error(nil)
	if backend.OnGPU(r.Backend) {
		batch, how, err = fitFromAbove(sizes, try)
	} else {
		batch, how, err = r.fitHost(sizes, try)
	}
	if err != nil {
		least := r.withBatch(sizes[0]).Config
		least.FitBatch = false
		return advise(err, least)
	}
	t.Batch, t.Accumulate = batch, images/batch
	r.Log(fmt.Sprintf("train.compute.fit_batch: %d of the %d images of an update at a time (batch = %d, accumulate = %d; %s)", batch, images, t.Batch, t.Accumulate, how))
	return nil
}

// batchSizes are the batches that an update may be divided into, ascending.
func (r *run) batchSizes() (sizes []int) {
	t := r.Config
	images := t.Batch * t.Accumulate
	t.FitBatch = false
	for t.Batch = 1; t.Batch <= images; t.Batch++ {
		if images%t.Batch == 0 && CheckBatch(t) == nil && parallel.Check("train", t.Devices, t.Batch) == nil {
			sizes = append(sizes, t.Batch)
		}
	}
	return sizes
}

// fitFromAbove is the largest of sizes, ascending, that a device computes, which
// says so where its memory runs out. The largest is tried first, then what is left is
// halved.
func fitFromAbove(sizes []int, try func(batch int) error) (batch int, how string, err error) {
	fits, least, most := -1, 0, len(sizes)-1
	for i := most; least <= most; i = (least + most) / 2 {
		switch err = try(sizes[i]); {
		case err == nil:
			fits, least = i, i+1
		case backend.IsOutOfMemory(err):
			most = i - 1
		default:
			return 0, "", err
		}
	}
	switch {
	case fits < 0:
		return 0, "", err
	case fits+1 < len(sizes):
		return sizes[fits], fmt.Sprintf("%d do not fit", sizes[fits+1]), nil
	}
	return sizes[fits], "all fit", nil
}

// freeShare is the share of the free memory that a training may take.
const freeShare = 0.9

// fitHost finds the largest of sizes that the host's memory holds. No engine there
// says that memory runs out before the system ends the process, so that it comes
// from below: each batch is tried only where those before tell that it fits.
func (r *run) fitHost(sizes []int, try func(batch int) error) (batch int, how string, err error) {
	limit, base, err := r.hostLimit()
	if err != nil {
		return 0, "", fmt.Errorf("train.compute.fit_batch on %s: %w: set train.batch and train.accumulate by hand", r.Backend.Name(), err)
	}
	fixed, err := r.fixedBytes()
	if err != nil {
		return 0, "", err
	}
	batch, how, err = fitFromBelow(sizes, base+fixed, limit, func(batch int) (int64, error) {
		return backend.MeasurePeak(func() error { return try(batch) })
	})
	if gb := r.Config.MemoryGB; gb > 0 && errors.Is(err, errTooMuch) {
		err = fmt.Errorf("%w (train.compute.memory_gb = %v)", err, gb)
	}
	return batch, how, err
}

// hostLimit is the memory that the process may take, and what it has already.
func (r *run) hostLimit() (limit, base int64, err error) {
	if base, err = backend.ResidentMemory(); err != nil {
		return 0, 0, err
	}
	if gb := r.Config.MemoryGB; gb > 0 {
		return int64(gb * 1e9), base, nil
	}
	free, err := backend.AvailableMemory()
	return base + int64(freeShare*float64(free)), base, err
}

// errTooMuch is a batch that took more memory than it may.
var errTooMuch = errors.New("out of memory")

// fitFromBelow is the largest of sizes, ascending, whose peak measure finds within
// limit. fixed is what a step takes beside what each image does.
func fitFromBelow(sizes []int, fixed, limit int64, measure func(batch int) (int64, error)) (batch int, how string, err error) {
	at, peak := 0, fixed // the largest batch known, and what it took
	i, fits := 0, -1
	for {
		p, err := measure(sizes[i])
		if err != nil && !backend.IsOutOfMemory(err) {
			return 0, "", err
		}
		if err == nil && p > limit {
			err = fmt.Errorf("%w: %s of %s", errTooMuch, gigabytes(p), gigabytes(limit))
		}
		if err != nil {
			if fits < 0 {
				return 0, "", err
			}
			return sizes[fits], fmt.Sprintf("%d do not fit", sizes[i]), nil
		}
		each := max(float64(p-peak)/float64(sizes[i]-at), 0)
		fits, at, peak = i, sizes[i], p
		took := fmt.Sprintf("%s of %s", gigabytes(p), gigabytes(limit))
		next := i
		for k := i + 1; k < len(sizes); k++ {
			if float64(p)+each*float64(sizes[k]-at) > float64(limit) {
				break
			}
			if next = k; sizes[k] >= 2*at {
				break // one looks no further ahead than twice
			}
		}
		if next == i {
			return sizes[i], took, nil
		}
		i = next
	}
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }

// withBatch is the run with another batch for the same update.
func (r *run) withBatch(batch int) *run {
	other := *r
	other.Config.Batch, other.Config.Accumulate = batch, r.Config.Batch*r.Config.Accumulate/batch
	return &other
}

// fixedBytes are those of weights, gradients, averages and what the optimiser keeps.
func (r *run) fixedBytes() (int64, error) {
	n, err := newNetwork(r.Backend, r.Net, r.Classes.Len(), r.Seed)
	if err != nil {
		return 0, err
	}
	defer n.store.Finalize()
	if _, err := n.probe(r.Config.Crop); err != nil {
		return 0, err
	}
	var bytes int64
	for v := range n.store.IterVariables() {
		bytes += v.Shape().ByteSize()
	}
	copies := int64(3) // weight, gradient, momentum
	if r.Config.Optimizer != "sgd" {
		copies++
	}
	if r.Config.EMA > 0 {
		copies++
	}
	return copies * bytes, nil
}

// tryBatch makes updates of made-up images with a network that is thrown away.
func (r *run) tryBatch(batch int) (err error) {
	o := r.withBatch(batch)
	t := o.Config
	if t.Early > 0 {
		o.early = early.New(t.Early, 1, 1, r.Classes.Len())
	}
	if o.devices, err = parallel.New(r.Backend, "train", t.Devices, batch); err != nil {
		return err
	}
	if o.net, err = newNetwork(r.Backend, r.Net, r.Classes.Len(), r.Seed); err != nil {
		return err
	}
	defer o.net.store.Finalize()
	grids, err := o.net.probe(t.Crop)
	if err != nil {
		return err
	}
	if err := o.prepare(grids, newLoss(t)); err != nil {
		return err
	}
	defer o.graphs.finalize()
	in, err := o.place(o.madeUp())
	if err != nil {
		return err
	}
	defer in.Free()
	for range tried {
		// Of the batches of an update one: the others take the same memory again.
		if _, _, err := o.compute([]placed{in}, optim.NewSchedule(t, 1).Scalars(0)); err != nil {
			return err
		}
	}
	return nil
}

// tried are the updates of a batch that is tried: what the first leaves behind is in
// memory beside the second.
const tried = 2

// madeUp is a batch of images in which each class has a stripe.
func (r *run) madeUp() *batch {
	t, side := r.Config, r.Config.Crop
	b := &batch{images: tensors.FromShape(shapes.Make(dtypes.Float32, t.Batch, side, side, 3))}
	for _, g := range r.graphs.grids {
		labels := make([]uint8, t.Batch*g.h*g.w)
		for i := range labels {
			labels[i] = uint8(min(i%g.w*r.Classes.Len()/g.w, data.Ignore-1))
		}
		b.labels = append(b.labels, tensors.FromFlatDataAndDimensions(labels, t.Batch, g.h, g.w))
		if weighs(r.LabelsDir, t.Confidence) {
			b.weights = append(b.weights, tensors.FromShape(shapes.Make(dtypes.Float32, t.Batch, g.h, g.w)))
		}
	}
	if learner, ok := r.Net.(models.Learner); ok {
		b.present = []*tensors.Tensor{present(b.labels[0], func(int) int { return learner.Places(0) })}
	}
	return b
}
