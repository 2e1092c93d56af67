package train

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// interrupted runs a job that is stopped at some updates, and taken up again each
// time, to its end; it returns the result and the log.
func interrupted(t *testing.T, job Job, at []int) (res *Result, log []Record) {
	t.Helper()
	const end = 1 << 20 // no update has this number
	for _, stop := range append(at, end) {
		ctx, cancel := context.WithCancel(context.Background())
		job.Progress = func(done, _ int) {
			if done == stop {
				cancel()
			}
		}
		var err error
		res, err = Run(ctx, job)
		cancel()
		if stop < end && !errors.Is(err, context.Canceled) || stop == end && err != nil {
			t.Fatalf("cancelled at %d: %v", stop, err)
		}
	}
	log, err := ReadLog(filepath.Join(job.OutDir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	return res, log
}

// learn trains a network, stopped and taken up again at some updates, and returns
// its losses and gradient norms.
func learn(t *testing.T, job Job, cut ...int) (losses, norms []float64) {
	t.Helper()
	_, log := interrupted(t, job, cut)
	for _, rec := range log {
		if len(rec.LR) > 0 {
			losses, norms = append(losses, rec.Loss), append(norms, rec.GradNorm)
		}
	}
	return losses, norms
}
