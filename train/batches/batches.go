// Package batches decides which training image comes when, and loads ahead.
// Both depend on the seed and the number of the draw alone, so that neither
// the number of workers nor a resumed run changes what is drawn.
package batches

import (
	"context"
	"sync"
	"time"

	"wsss/data"
	"wsss/data/crash"
)

// Prefetch loads the batches 0 … n−1 in the background, workers at a time (0 =
// one per CPU), and returns a function that gives them in order. As many
// batches as workers, and two more, are in memory at most. stop ends it early
// and must be called.
func Prefetch[Batch any](ctx context.Context, n, workers int, load func(i int) (Batch, error)) (next func() (Batch, error), stop func()) {
	workers = data.Workers(workers)
	type result struct {
		b   Batch
		err error
	}
	type job struct {
		i   int
		out chan result
	}
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	jobs := make(chan job)
	ordered := make(chan chan result, workers) // bounds what is loaded ahead
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(jobs)
		for i := range n {
			j := job{i, make(chan result, 1)}
			select {
			case ordered <- j.out:
			case <-ctx.Done():
				return
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		wg.Go(func() {
			for j := range jobs {
				var r result
				r.err = crash.Do(func() (err error) { r.b, err = load(j.i); return err })
				j.out <- r
			}
		})
	}
	next = func() (Batch, error) {
		select {
		case out := <-ordered:
			select {
			case r := <-out:
				return r.b, r.err
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		var none Batch
		return none, ctx.Err()
	}
	return next, func() {
		cancel()
		ended := make(chan struct{})
		go func() {
			wg.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-blocked(parent):
		}
	}
}

// patience is how long a load may go on after the program was told to end: a
// read of a pipe, or of a disk that does not answer, may do so for ever.
const patience = time.Second

// blocked tells when a load need no longer be waited for: never, unless ctx has
// ended.
func blocked(ctx context.Context) <-chan time.Time {
	if ctx.Err() == nil {
		return nil
	}
	return time.After(patience)
}
