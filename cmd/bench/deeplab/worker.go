package deeplab

import (
	"errors"
	"os"

	"wsss/cmd/bench/internal/steps"
	"wsss/configs"
)

// classes are as many as VOC's.
const classes = 21

// step begins a training: batch norm frozen, SGD with momentum and weight decay
// as in docs/sources.md §8.1, at a rate that keeps the random network where it is.
func (o *options) step(spec string) (step func() error, err error) {
	t := configs.Default().Train
	t.Arch, t.MSC, t.Width, t.Precision, t.Recompute = o.arch, o.msc, o.width, o.precision, o.recompute
	t.Batch, t.Accumulate, t.Crop, t.LR, t.Init = o.Batch, 1, o.size, 1e-12, ""
	t.Devices = o.devices
	t.Iterations = o.Steps.Steps + 1 // one warms up
	if o.arch != "deeplab-v2" {
		t.OutputStride, t.StrideIn, t.Input = 16, "3x3", "torch"
	}
	if o.dir, err = os.MkdirTemp("", "wsss-bench-deeplab"); err != nil {
		return nil, err
	}
	ds, err := steps.Scenes(o.dir, o.size)
	if err != nil {
		return nil, err
	}
	o.training, step, err = steps.New(spec, ds, steps.Names(ds, classes), t)
	return step, err
}

// done clears away what step made.
func (o *options) done() error {
	return errors.Join(o.training.Done(), os.RemoveAll(o.dir))
}
