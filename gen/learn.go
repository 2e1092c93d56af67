package gen

import (
	"context"

	"wsss/data"
)

// Lesson is what a Learner learns from.
type Lesson struct {
	Dataset data.Dataset
	IDs     []string // of the whole split, whatever the shard
	Dir     string   // folder of the run: what is learnt is kept in it
	// Progress is told of every image looked at; may be nil. It is not called
	// where all was learnt before.
	Progress func(done, total int)
}

// Learner is a Method that learns from the whole split before it labels the
// first image. Run calls Learn once, in one process at a time.
type Learner interface {
	Method
	// Learn reads what an earlier call left in Dir, or makes it where that is
	// missing or was learnt from other images or with other options. The same
	// dataset, config and weights give the same bytes.
	Learn(ctx context.Context, from Lesson) error
}

// Learn lets a method learn; nothing happens where it is no Learner. Methods
// that work on another's output pass it on.
func Learn(ctx context.Context, m Method, from Lesson) error {
	if l, ok := m.(Learner); ok {
		return l.Learn(ctx, from)
	}
	return nil
}

// lessonClaim is the name under which one process at a time learns.
const (
	lessonClaim = ".lesson"
	lessonOnce  = "lesson" // of a job
)

// learn lets the run's method learn.
func (r *runner) learn(ctx context.Context) error {
	if _, ok := r.Method.(Learner); !ok {
		return nil
	}
	if r.job != nil { // those that waited read what the one has left
		if err := r.job.Once(ctx, lessonOnce, func() error { return r.learnHere(ctx) }); err != nil {
			return err
		}
	}
	return r.learnHere(ctx)
}

func (r *runner) learnHere(ctx context.Context) error {
	if !r.claims.wait(ctx, lessonClaim) {
		return ctx.Err()
	}
	defer r.claims.release(lessonClaim)
	for _, m := range append([]Method{r.Method}, r.Others...) { // the others read what the first has left
		if err := Learn(ctx, m, Lesson{Dataset: r.Dataset, IDs: r.all, Dir: r.OutDir, Progress: r.Learning}); err != nil {
			return err
		}
	}
	return nil
}
