package data

import (
	"context"
	"runtime"
	"sync"

	"wsss/data/crash"
)

// Parallel runs f(0..n-1) on every CPU and stops at the first error: the one of
// the lowest i, whatever the scheduler does. progress is called with finished
// and total, one call at a time; it may be nil.
func Parallel(ctx context.Context, n int, progress func(done, total int), f func(i int) error) error {
	return ParallelWorkers(ctx, n, Workers(0), progress, func(_, i int) error { return f(i) })
}

// Workers are the goroutines that a setting of so many asks for: one per CPU where it
// is 0.
func Workers(n int) int {
	if n <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return n
}

// ParallelWorkers is Parallel on so many goroutines, each of which tells f its
// number, 0..workers-1.
func ParallelWorkers(ctx context.Context, n, workers int, progress func(done, total int), f func(worker, i int) error) error {
	return ParallelContext(ctx, n, workers, progress, func(_ context.Context, worker, i int) error { return f(worker, i) })
}

// ParallelContext is ParallelWorkers with a context for each call of f. It ends
// with ctx, and as soon as a call for a lower i has failed; calls for a lower i
// than one that failed go on, since they may fail as well and are then the
// first.
func ParallelContext(ctx context.Context, n, workers int, progress func(done, total int), f func(ctx context.Context, worker, i int) error) error {
	var (
		mu         sync.Mutex
		wg         sync.WaitGroup
		next, done int
		first      FirstError
	)
	running := map[int]context.CancelFunc{}
	for w := range min(n, workers) {
		wg.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for next < n && ctx.Err() == nil && !first.Before(next) {
				i := next
				next++
				inner, cancel := context.WithCancel(ctx)
				running[i] = cancel
				mu.Unlock()
				err := crash.Do(func() error { return f(inner, w, i) })
				cancel()
				mu.Lock()
				delete(running, i)
				if err != nil {
					first.Add(i, err)
					for j, cancel := range running {
						if j > i {
							cancel()
						}
					}
				} else if done++; progress != nil {
					progress(done, n)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Err(); err != nil || done == n {
		return err
	}
	return context.Cause(ctx)
}

// FirstError keeps, of the errors of numbered jobs that run at once, the one of
// the lowest number. For the outcome not to depend on the scheduler, jobs have
// to begin in order, and those before one that failed have to be finished. The
// zero value is ready, and safe for concurrent use.
type FirstError struct {
	mu  sync.Mutex
	i   int
	err error
}

// Add reports the error of job i; nil is none.
func (f *FirstError) Add(i int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && (f.err == nil || i < f.i) {
		f.i, f.err = i, err
	}
}

// Before tells whether a job before i has failed, so that i need not be done.
func (f *FirstError) Before(i int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err != nil && f.i < i
}

// Err is the error of the lowest job; nil where none failed.
func (f *FirstError) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
