package gen

import (
	"context"
	"sync"

	"wsss/data"
)

// devices hands images to the methods of several devices.
type devices struct {
	mu   sync.Mutex
	busy []int // images at each
}

// take is the device with the fewest images.
func (d *devices) take(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy == nil {
		d.busy = make([]int, n)
	}
	least := 0
	for k, images := range d.busy {
		if images < d.busy[least] {
			least = k
		}
	}
	d.busy[least]++
	return least
}

func (d *devices) done(k int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[k]--
}

// generate asks the method, on the device that has the least to do.
func (r *runner) generate(ctx context.Context, s *data.Sample) ([]Mask, error) {
	if len(r.Others) == 0 {
		return r.Method.Generate(ctx, s)
	}
	k := r.devices.take(1 + len(r.Others))
	defer r.devices.done(k)
	if k == 0 {
		return r.Method.Generate(ctx, s)
	}
	return r.Others[k-1].Generate(ctx, s)
}
