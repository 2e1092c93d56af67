package data

import (
	"context"
	"runtime"
	"sync"
)

// Parallel runs f(0..n-1) on every CPU and stops at the first error. progress
// is called with finished and total, one call at a time; it may be nil.
func Parallel(ctx context.Context, n int, progress func(done, total int), f func(i int) error) error {
	return ParallelWorkers(ctx, n, runtime.GOMAXPROCS(0), progress, func(_, i int) error { return f(i) })
}

// ParallelWorkers is Parallel on so many goroutines, each of which tells f its
// number, 0..workers-1. Of errors met at once, the one of the lowest i is
// returned.
func ParallelWorkers(ctx context.Context, n, workers int, progress func(done, total int), f func(worker, i int) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu         sync.Mutex
		wg         sync.WaitGroup
		next, done int
		failed     = n
		first      error
	)
	for w := range min(n, workers) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || inner.Err() != nil {
					return
				}
				err := f(w, i)
				mu.Lock()
				if err != nil {
					if i < failed {
						failed, first = i, err
					}
					cancel()
				} else if done++; progress != nil {
					progress(done, n)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if first != nil || done == n {
		return first
	}
	return context.Cause(ctx)
}
