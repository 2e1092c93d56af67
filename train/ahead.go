package train

import (
	"context"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// ahead gives n batches of next and runs one batch ahead: while the graph works
// on a batch, the following one is fetched and handed to prepare, which puts it
// on the device. stop ends it and must be called before the stop of next.
func ahead(ctx context.Context, n int, next func() (*batch, error), prepare func(*batch) error) (take func() (*batch, error), stop func()) {
	type result struct {
		b   *batch
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan result)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			b, err := next()
			if err == nil {
				err = prepare(b)
			}
			select {
			case ready <- result{b, err}:
			case <-ctx.Done():
				if b != nil {
					b.free()
				}
				return
			}
			if err != nil {
				return
			}
		}
	}()
	take = func() (*batch, error) {
		select {
		case r := <-ready:
			return r.b, r.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return take, func() {
		cancel()
		<-done
	}
}

// upload copies a batch to the device that its graph runs on.
func upload(b compute.Backend) func(*batch) error {
	return func(batch *batch) error {
		for _, x := range batch.inputs() {
			if err := x.(*tensors.Tensor).MaterializeOnDevice(b, false, 0); err != nil {
				return err
			}
		}
		return nil
	}
}
