package data

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// TestParallelFirstError: of several jobs that fail, the first in order is
// named, also where a later one fails long before it.
func TestParallelFirstError(t *testing.T) {
	later := make(chan struct{})
	for _, workers := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			for range 20 {
				err := ParallelWorkers(context.Background(), 50, workers, nil, func(_, i int) error {
					switch {
					case i == 5:
						runtime.Gosched()
						return errors.New("five")
					case i > 5:
						return fmt.Errorf("job %d", i)
					}
					return nil
				})
				if err == nil || err.Error() != "five" {
					t.Fatalf("error %v, want that of job 5", err)
				}
			}
		})
	}
	t.Run("later first", func(t *testing.T) {
		err := ParallelWorkers(context.Background(), 9, 2, nil, func(_, i int) error {
			if i == 0 {
				<-later
				return errors.New("zero")
			}
			close(later)
			return errors.New("one")
		})
		if err == nil || err.Error() != "zero" {
			t.Fatalf("error %v, want that of job 0", err)
		}
	})
}

// TestParallelContextEndsLaterJobs: a failure ends the jobs behind it and none
// before it, and starts no more.
func TestParallelContextEndsLaterJobs(t *testing.T) {
	begun := make(chan int, 9)
	failed := make(chan struct{})
	err := ParallelContext(context.Background(), 9, 3, nil, func(ctx context.Context, _, i int) error {
		begun <- i
		switch i {
		case 0:
			<-failed
			if ctx.Err() != nil {
				t.Error("a job before the one that failed is ended")
			}
			return nil
		case 1:
			for len(begun) < 3 {
				runtime.Gosched()
			}
			defer close(failed)
			return errors.New("one")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || err.Error() != "one" {
		t.Errorf("error %v, want that of job 1", err)
	}
	if len(begun) != 3 {
		t.Errorf("%d jobs begun, want 3", len(begun))
	}
}

// TestParallelEnds: a context that ends stops the jobs with its cause.
func TestParallelEnds(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	err := ParallelWorkers(ctx, 1000, 2, nil, func(_, i int) error {
		if i == 3 {
			cancel(cause)
		}
		return nil
	})
	if err != cause {
		t.Errorf("error %v, want %v", err, cause)
	}
}
