package gen

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"wsss/checkpoints/jobs"
	"wsss/data"
)

// Job is a run that several processes share by its name, on any store.
type Job struct {
	Name   string
	Expire time.Duration // after which a process that says nothing is dead; 0 = a minute
	Retry  bool          // try images again that failed before
	Chunk  int           // images that a process takes at a time; 0 = by the split's size
}

// JobsDir is the folder of the jobs that fill a folder of labels: beside it, so
// that the labels are alone in theirs.
func JobsDir(labels string) string { return filepath.Clean(labels) + ".jobs" }

// retireOnce is the part of a job that removes labels of images that are gone.
const retireOnce = "retire"

// join takes part in the run's job, where it has one.
func (r *runner) join(ctx context.Context, ids []string) error {
	if r.Job == nil {
		return nil
	}
	if r.Shard.Count > 0 {
		return errors.New("gen: a job divides the split itself: a shard does not go with it")
	}
	all := JobsDir(r.OutDir)
	hash := hashOf([]any{r.ConfigHash, r.Weights, r.Split, r.table, ids})
	other, err := jobs.Busy(all, hash)
	if err != nil {
		return err
	}
	if other != "" {
		return fmt.Errorf("%s: job %q is at work here with another config or another list of images: wait for it, or choose another out", r.OutDir, other)
	}
	dir := filepath.Join(all, r.Job.Name)
	r.job, err = jobs.Join(ctx, dir, jobs.Plan{
		About: fmt.Sprintf("gen %s from %s, split %s, %d images, config %s", r.Name, r.source.Weak, r.Split, len(ids), r.ConfigHash),
		Hash:  hash, Items: len(ids), Size: r.Job.Chunk, Seconds: r.Job.Expire.Seconds(),
	})
	if err == nil && r.Job.Retry {
		_, err = jobs.Retry(dir)
	}
	r.KeepGoing = true
	return err
}

// place is where a process is in a job.
type place struct {
	elsewhere int // images of finished chunks
	here      int // finished in the present part
}

// front is how far a process is in a part, from its first image on.
type front struct {
	places map[string]int
	done   []bool
	n      int
}

func newFront(ids []string) *front {
	f := &front{places: make(map[string]int, len(ids)), done: make([]bool, len(ids))}
	for i, id := range ids {
		f.places[id] = i
	}
	return f
}

// mark notes that an image is finished, and tells how many are from the first on.
func (f *front) mark(id string) int {
	if i, ours := f.places[id]; ours {
		f.done[i] = true
	}
	for f.n < len(f.done) && f.done[f.n] {
		f.n++
	}
	return f.n
}

// finished notes that an image of the present part is done and did not fail.
func (r *runner) finished(id string) {
	if r.job == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Through(r.part, r.front.mark(id))
}

// workJob takes parts of the split until all of it is done.
func (r *runner) workJob(ctx context.Context, ids []string) error {
	if err := r.job.Once(ctx, retireOnce, func() error { return r.retire(ctx) }); err != nil {
		return err
	}
	for {
		part, ok, err := r.job.Next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		elsewhere := r.job.Elsewhere()
		r.mu.Lock()
		r.at = place{elsewhere: elsewhere}
		mine := ids[part.From:part.To]
		r.part, r.front = part, newFront(mine)
		r.mu.Unlock()
		if part.Help {
			if err := r.help(ctx, mine); err != nil {
				return err
			}
			continue
		}
		var fails failures
		if err := r.through(ctx, r.shaped(mine), &fails); err != nil {
			return err
		}
		if !r.job.Holds(part) {
			continue // whoever took it over finishes it
		}
		if err := r.job.Finish(part, fails.of(mine)); err != nil {
			return err
		}
	}
	return r.jobFailures()
}

// help labels a part from its back, until it meets the process that works from
// its front. Images that fail are for that one to tell of.
func (r *runner) help(ctx context.Context, ids []string) error {
	ids = slices.Clone(r.shaped(ids))
	slices.Reverse(ids)
	for few := range slices.Chunk(ids, data.Workers(r.Workers)) {
		if slices.ContainsFunc(few, func(id string) bool { return r.state(id) == isDone }) {
			return nil
		}
		var fails failures
		if _, err := r.pass(ctx, few, r.claims.try, &fails); err != nil {
			return err
		}
	}
	return nil
}

// of lists the failures as a job keeps them, in the order of ids.
func (f *failures) of(ids []string) []jobs.Failure {
	if f.inOrder(ids) == nil {
		return nil
	}
	list := make([]jobs.Failure, len(f.list))
	for i, one := range f.list {
		list[i] = jobs.Failure{Item: one.ID, Error: one.Err.Error()}
	}
	return list
}

// jobFailures is a FailedError of all images of the job that failed, whoever
// tried them.
func (r *runner) jobFailures() error {
	failed, err := jobs.Failed(filepath.Join(JobsDir(r.OutDir), r.Job.Name))
	if err != nil || len(failed) == 0 {
		return err
	}
	list := make([]Failure, len(failed))
	for i, f := range failed {
		list[i] = Failure{f.Item, errors.New(f.Error)}
	}
	return &FailedError{list}
}

// tell reports one image's work; r.mu is held.
func (r *runner) tell(did Summary) {
	s := &r.summary
	done := s.Generated + s.Skipped + s.Failed + s.Unlabelled
	if r.job != nil {
		r.at.here++
		done = min(r.at.elsewhere+r.at.here, s.Images)
		r.job.Count(did.Generated+did.Unlabelled, did.Failed)
	}
	if r.Progress != nil {
		r.Progress(done, s.Images)
	}
}
