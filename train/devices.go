package train

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models/backend"
)

// devices divides every batch among several devices, which each hold all the
// weights (data parallel). The graph stays that of the whole batch: XLA places
// the work and adds up the gradients (GoMLX's AutoSharding), so that the update
// is the one of a single device. A nil *devices is one device.
type devices struct {
	count           int
	whole, perImage *distributed.ShardingSpec // a copy each, or divided along the first axis
}

// newDevices checks train.devices against the backend and the batch.
func newDevices(b compute.Backend, t configs.Train) (*devices, error) {
	n := t.Devices
	if n <= 1 {
		return nil, nil
	}
	if backend.KindOf(b) != backend.XLA {
		return nil, fmt.Errorf("train.devices = %d: backend %s uses one device; several need xla:cuda", n, b.Name())
	}
	if have := b.NumDevices(); n > have {
		return nil, fmt.Errorf("train.devices = %d: backend %s has %d", n, b.Name(), have)
	}
	return planDevices(n, t.Batch)
}

// CheckDevices refuses a batch that train.devices does not divide.
func CheckDevices(t configs.Train) error {
	if t.Devices <= 1 {
		return nil
	}
	_, err := planDevices(t.Devices, t.Batch)
	return err
}

// planDevices is the division of a batch among n devices.
func planDevices(n, batch int) (*devices, error) {
	if batch%n != 0 {
		return nil, fmt.Errorf("train.devices = %d does not divide train.batch = %d: allowed are batches of a multiple of %d images", n, batch, n)
	}
	mesh, err := distributed.NewDeviceMesh([]int{n}, []string{"data"})
	if err != nil {
		return nil, err
	}
	perImage, err := distributed.BuildSpec(mesh).S("data").Done()
	if err != nil {
		return nil, err
	}
	return &devices{n, distributed.NewReplicatedShardingSpec(mesh), perImage}, nil
}

// configure prepares a graph whose first inputs are divided along the images,
// the others copied.
func (d *devices) configure(exec *model.Exec, divided, copied int) error {
	if d == nil || exec == nil {
		return nil
	}
	var specs []*distributed.ShardingSpec
	for range divided {
		specs = append(specs, d.perImage)
	}
	for range copied {
		specs = append(specs, d.whole)
	}
	exec.AutoSharding(d.whole.Mesh).WithInputShardingSpecs(specs...)
	return exec.SetDefaultShardingSpec(d.whole)
}

// batch and scalars give inputs the form in which the graph takes them.
func (d *devices) batch(in []any) ([]any, error) { return d.place(in, true) }

func (d *devices) scalars(in []any) ([]any, error) { return d.place(in, false) }

func (d *devices) place(in []any, divide bool) ([]any, error) {
	if d == nil {
		return in, nil
	}
	out := make([]any, len(in))
	for i, x := range in {
		t, ok := x.(*tensors.Tensor)
		if !ok {
			var err error
			if t, err = tensors.FromAnyValue(x); err != nil {
				return nil, err
			}
		}
		spec := d.whole
		if divide {
			spec = d.perImage
		}
		placed, err := dtensor.ShardTensor(spec, t)
		if err != nil {
			return nil, err
		}
		out[i] = placed
	}
	return out, nil
}
