package gen

import (
	"context"

	"wsss/data"
)

// generate asks the method, on the device that has the least to do.
func (r *runner) generate(ctx context.Context, s *data.Sample) ([]Mask, error) {
	if len(r.Others) == 0 {
		return r.Method.Generate(ctx, s)
	}
	k := r.devices.Take(1 + len(r.Others))
	defer r.devices.Done(k)
	if k == 0 {
		return r.Method.Generate(ctx, s)
	}
	return r.Others[k-1].Generate(ctx, s)
}
