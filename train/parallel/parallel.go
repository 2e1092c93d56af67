// Package parallel divides the batches of a training among several devices.
package parallel

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
)

// Devices divides every batch among several devices, which each hold all the
// weights (data parallel). The graph stays that of the whole batch: XLA places
// the work and adds up the gradients (GoMLX's AutoSharding), so that the update
// is the one of a single device. A nil *Devices is one device.
type Devices struct {
	whole, perImage *distributed.ShardingSpec // a copy each, or divided along the first axis
}

// New divides batches of so many images among n devices of b; n below 2 is nil.
// table names the config's table in errors.
func New(b compute.Backend, table string, n, batch int) (*Devices, error) {
	if n <= 1 {
		return nil, nil
	}
	if backend.KindOf(b) != backend.XLA {
		return nil, fmt.Errorf("%s.compute.devices = %d: backend %s uses one device; several need xla:cuda", table, n, b.Name())
	}
	if have := b.NumDevices(); n > have {
		return nil, fmt.Errorf("%s.compute.devices = %d: backend %s has %d", table, n, b.Name(), have)
	}
	return plan(table, n, batch)
}

// Check refuses a batch that n devices do not divide.
func Check(table string, n, batch int) error {
	if n <= 1 {
		return nil
	}
	_, err := plan(table, n, batch)
	return err
}

func plan(table string, n, batch int) (*Devices, error) {
	if batch%n != 0 {
		return nil, fmt.Errorf("%s.compute.devices = %d does not divide %s.batch = %d: allowed are batches of a multiple of %d images", table, n, table, batch, n)
	}
	mesh, err := distributed.NewDeviceMesh([]int{n}, []string{"data"})
	if err != nil {
		return nil, err
	}
	perImage, err := distributed.BuildSpec(mesh).S("data").Done()
	if err != nil {
		return nil, err
	}
	return &Devices{distributed.NewReplicatedShardingSpec(mesh), perImage}, nil
}

// Configure prepares a graph whose first inputs are divided along the images,
// the others copied. A nil graph needs nothing.
func (d *Devices) Configure(exec *model.Exec, divided, copied int) error {
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

// Scalars gives values the form in which the graph takes them.
func (d *Devices) Scalars(in []any) ([]any, error) {
	if d == nil {
		return in, nil
	}
	out := make([]any, len(in))
	for i, x := range in {
		t, err := tensors.FromAnyValue(x)
		if err != nil {
			return nil, err
		}
		if out[i], err = dtensor.ShardTensor(d.whole, t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Inputs are tensors on the devices that a graph takes them from.
type Inputs struct {
	Args []any
	free []interface{ FinalizeAll() error }
}

// Local takes tensors as they are, for an engine that computes in the host's
// memory.
func Local(batch []*tensors.Tensor) *Inputs {
	in := &Inputs{}
	for _, t := range batch {
		in.Args, in.free = append(in.Args, t), append(in.free, t)
	}
	return in
}

// Free gives back the memory, which is not Go's on some backends.
func (in *Inputs) Free() {
	for _, t := range in.free {
		_ = t.FinalizeAll()
	}
}

// Upload copies the tensors of a batch to the devices, divided along the images
// where there are several; theirs are freed with the result.
func (d *Devices) Upload(b compute.Backend, batch []*tensors.Tensor) (*Inputs, error) {
	in := &Inputs{}
	for _, t := range batch {
		in.free = append(in.free, t)
		if d == nil {
			in.Args = append(in.Args, t)
			if err := t.MaterializeOnDevice(b, false, 0); err != nil {
				return in, err
			}
			continue
		}
		divided, err := dtensor.ShardTensor(d.perImage, t)
		if err != nil {
			return in, err
		}
		in.Args = append(in.Args, divided)
		in.free = append(in.free, divided)
		for device, shard := range divided.Shards() {
			if err := shard.MaterializeOnDevice(b, false, compute.DeviceNum(device)); err != nil {
				return in, err
			}
		}
	}
	return in, nil
}
