package pipeline

import (
	"context"
	"errors"
	"time"

	"wsss/checkpoints/jobs"
	"wsss/gen"
)

// genJob takes part in a job, to its end: images that failed are told of when
// all is done, as an ImagesError.
func (p *Run) genJob(ctx context.Context, o GenOptions) error {
	err := p.Gen(ctx, o)
	if err != nil && !errors.As(err, new(*gen.FailedError)) {
		return err
	}
	err = errors.Join(err, p.Compare(ctx, o))
	if errors.As(err, new(*gen.FailedError)) {
		return ImagesError{err}
	}
	return err
}

// ImagesError is the error of a job that is done but for images that failed.
type ImagesError struct{ error }

// Unwrap is for errors.Is and errors.As.
func (e ImagesError) Unwrap() error { return e.error }

// checkJob refuses choices about a job that say nothing or contradict: its name, a
// shard, whether settings are tried, whether what failed is tried again, and the
// time after which a process that says nothing is dead.
func checkJob(name, shard string, sweep, retry bool, lease time.Duration) error {
	switch {
	case name == "" && retry:
		return Usagef("gen: -retry-failed goes with -job; without a job, gen tries again what failed anyway")
	case name == "":
		return nil
	case shard != "" || sweep:
		return Usagef("gen: -job divides the split by itself: neither -shard nor -sweep goes with it")
	case lease < time.Second || lease > 24*time.Hour:
		return Usagef("gen: -lease %v: allowed are 1s to 24h", lease)
	}
	if err := jobs.CheckName(name); err != nil {
		return UsageError{Err: err}
	}
	return nil
}
