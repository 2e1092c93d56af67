package batches

import (
	"context"

	"wsss/data/crash"
)

// Ahead gives n batches of next and runs one batch ahead: while the graph works
// on a batch, the following one is fetched and handed to prepare, which puts it
// on the device. A batch that nobody takes is freed. stop ends it and must be
// called before the stop of next.
func Ahead[From, To any](ctx context.Context, n int, next func() (From, error), prepare func(From) (To, error), free func(To)) (take func() (To, error), stop func()) {
	type result struct {
		b   To
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan result)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			var r result
			var b From
			r.err = crash.Do(func() (err error) {
				if b, err = next(); err == nil {
					r.b, err = prepare(b)
				}
				return err
			})
			select {
			case ready <- r:
			case <-ctx.Done():
				if r.err == nil {
					free(r.b)
				}
				return
			}
			if r.err != nil {
				return
			}
		}
	}()
	take = func() (To, error) {
		select {
		case r := <-ready:
			return r.b, r.err
		case <-ctx.Done():
			var none To
			return none, ctx.Err()
		}
	}
	return take, func() {
		cancel()
		<-done
	}
}

// Feed is Ahead where that pays, on engines with a memory of their own; else it
// prepares each batch when it is taken.
func Feed[From, To any](ctx context.Context, ahead bool, n int, next func() (From, error), prepare func(From) (To, error), free func(To)) (take func() (To, error), stop func()) {
	if ahead {
		return Ahead(ctx, n, next, prepare, free)
	}
	return func() (To, error) {
		b, err := next()
		if err != nil {
			var none To
			return none, err
		}
		return prepare(b)
	}, func() {}
}
