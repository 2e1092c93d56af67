package eval

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"wsss/data"
	"wsss/data/crash"
	"wsss/models"
	"wsss/train/batches"
)

// Predict labels every image of a split with p, writes outDir/<id>.png (VOC
// palette) and scores it. Decoding the next images, predicting, and writing
// and counting the last ones overlap; p itself is called from one goroutine
// only. Memory holds a few images whatever the split's size.
//
// An undisturbed and a resumed run leave the same files, SpeedFile aside:
// predictions in outDir
// are taken up if its RunFile has opts.RunHash and the photos are those that
// they are of, replaced if not, and refused if there is no such file (they are
// somebody else's).
func Predict(ctx context.Context, ds data.Dataset, split string, p models.Predictor, outDir string, opts Options, progress Progress) (*Result, error) {
	start := time.Now()
	opts = opts.withDefaults()
	if opts.Name == "" {
		opts.Name = "prediction"
	}
	if opts.Kind == "" {
		opts.Kind = KindNetwork
	}
	ids, err := opts.ids(ds, split)
	if err != nil {
		return nil, err
	}
	ready, err := prepare(ctx, ds, outDir, ids, opts)
	if err != nil {
		return nil, err
	}
	run := &predictRun{ds: ds, p: p, dir: outDir, ids: ids, ready: ready, opts: opts, progress: progress, images: make([]ImageScore, len(ids))}
	err = run.do(ctx)
	// What a call made before it was stopped counts, images and time alike.
	if opts.Partial == nil { // the wall clock of one of many says little
		err = errors.Join(err, RecordSpeed(outDir, opts.RunHash, int(run.made.Load()), time.Since(start), nil))
	}
	if err != nil {
		return nil, err
	}
	r, err := result(ds, split, run.counters, run.images, start, opts)
	if err != nil {
		return nil, err
	}
	r.Unscored = len(ids) - r.Images
	r.PerSecond = Speed(outDir, opts.RunHash)
	opts.Partial.fill(r, run.counters[0], binaries{})
	return r, nil
}

// predictRun is the pipeline decode → predict → write and count.
type predictRun struct {
	ds       data.Dataset
	p        models.Predictor
	dir      string
	ids      []string
	ready    []bool
	opts     Options
	progress Progress
	counters []*counter
	images   []ImageScore  // none of those without a truth
	cpus     chan struct{} // a place per CPU, held while decoding and predicting
	first    data.FirstError

	made atomic.Int64 // label maps written, without those that were there
	mu   sync.Mutex
	done int
}

// job is one image on its way through the pipeline.
type job struct {
	at    int // its place in the order of work
	i     int // its place in ids
	s     *data.Sample
	size  image.Point                         // of the photo
	begin func(context.Context) (rest, error) // the predictor on this photo
	rest  rest                                // what it has left to do; nil = nothing
	pred  *data.LabelMap

	failed error // why it could not be decoded
}

// rest is the second part of a models.Refiner, or all of a prepared prediction.
type rest = func(context.Context) (*data.LabelMap, error)

// do runs the stages. Images begin in order, and those before one that fails
// are finished, so that the first in order that fails is the one reported.
func (r *predictRun) do(ctx context.Context) error {
	var err error
	r.counters = make([]*counter, r.opts.Workers)
	for w := range r.counters {
		if r.counters[w], err = newCounter(r.ds.Classes().Len(), r.opts); err != nil {
			return err
		}
	}
	r.cpus = make(chan struct{}, max(runtime.GOMAXPROCS(0), 2)) // one is kept for the network
	decoded, stop := r.decodeAll(ctx)
	defer stop()
	begun := make(chan job) // unbuffered: the scores of an image are large
	labelled := make(chan job, r.opts.Workers)
	var refiners, finishers sync.WaitGroup
	together := Refiners()
	if p, ok := r.p.(*pool); ok {
		together = max(together, p.refiners())
	}
	for range together {
		refiners.Go(func() {
			for j := range begun {
				if r.stage(ctx, j, func() error { return r.refine(ctx, &j) }) {
					labelled <- j
				}
			}
		})
	}
	for w := range r.opts.Workers {
		finishers.Go(func() {
			for j := range labelled {
				r.stage(ctx, j, func() error { return r.finish(r.counters[w], j) })
			}
		})
	}
	for j := range r.keepCPU(decoded) {
		if !r.stage(ctx, j, func() error { return r.predict(ctx, &j) }) {
			break
		}
		if j.rest != nil {
			begun <- j
		} else {
			labelled <- j
		}
	}
	close(begun)
	refiners.Wait()
	close(labelled)
	finishers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.first.Err()
}

// stage does a part of the work on an image, and tells whether the next part is
// to follow.
func (r *predictRun) stage(ctx context.Context, j job, part func() error) bool {
	if ctx.Err() != nil || r.first.Before(j.at) {
		return false
	}
	err := j.failed
	if err == nil {
		err = crash.Do(part)
	}
	r.first.Add(j.at, err)
	return err == nil
}

// decodeAll reads the images, some at a time and ahead of the reader, in order.
func (r *predictRun) decodeAll(parent context.Context) (jobs <-chan job, stop func()) {
	order := r.order()
	ctx, cancel := context.WithCancel(parent)
	next, stopNext := batches.Prefetch(ctx, len(order), r.opts.Workers, func(at int) (job, error) {
		r.cpus <- struct{}{}
		defer func() { <-r.cpus }()
		var j job
		err := crash.Do(func() (err error) { j, err = r.decode(order[at]); return err })
		j.at, j.failed = at, err
		return j, nil
	})
	out := make(chan job, 1)
	var handing sync.WaitGroup
	handing.Go(func() {
		defer close(out)
		for range order {
			j, err := next()
			if err != nil || !send(ctx, out, j) {
				return
			}
		}
	})
	return out, func() {
		cancel()
		handing.Wait()
		stopNext()
	}
}

// keepCPU yields the jobs to a caller that keeps a CPU for itself as long as
// there are any: else a network would wait, image by image, until the scheduler
// takes one from goroutines that decode and count.
func (r *predictRun) keepCPU(jobs <-chan job) iter.Seq[job] {
	return func(yield func(job) bool) {
		r.cpus <- struct{}{}
		defer func() { <-r.cpus }()
		for {
			var j job
			var ok bool
			select {
			case j, ok = <-jobs:
			default:
				<-r.cpus
				j, ok = <-jobs
				r.cpus <- struct{}{}
			}
			if !ok || !yield(j) {
				return
			}
		}
	}
}

// order lists the images by compiled shape, in the dataset's order within one.
func (r *predictRun) order() []int {
	if shaper, ok := r.p.(models.Shaper); ok {
		var shapes []image.Point
		order := data.ByShape(r.ds, r.ids, func(size image.Point) image.Point {
			shapes = append(shapes, shaper.Shape(size))
			return shapes[len(shapes)-1]
		})
		if f, ok := r.p.(models.Foreseer); ok {
			f.Foresee(shapes)
		}
		return order
	}
	order := make([]int, len(r.ids))
	for i := range order {
		order[i] = i
	}
	return order
}

func send[T any](ctx context.Context, to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// decode reads what is still needed: photo and truth, or truth and the
// prediction of an earlier run.
func (r *predictRun) decode(i int) (job, error) {
	j := job{i: i}
	if r.ready[i] {
		var err error
		if j.pred, err = data.ReadLabelMap(r.path(i)); err != nil {
			r.ready[i] = false // cut short or lost: it is made again
		}
	}
	want := data.WantTruth
	if j.pred == nil {
		want |= data.WantImage
	}
	var err error
	j.s, err = r.ds.Load(r.ids[i], want)
	if errors.Is(err, data.ErrNoTruth) && r.opts.AllowNoTruth {
		j.s, err = r.ds.Load(r.ids[i], want&^data.WantTruth)
	}
	if err != nil || j.pred != nil {
		return j, err
	}
	img := j.s.Image
	j.begin = func(ctx context.Context) (rest, error) { return models.Begin(ctx, r.p, img) }
	if p, ok := r.p.(models.Preparer); ok {
		predict := p.Prepare(img)
		j.begin = func(ctx context.Context) (rest, error) {
			label, err := predict(ctx)
			return func(context.Context) (*data.LabelMap, error) { return label, nil }, err
		}
	}
	j.size = j.s.Image.Rect.Size()
	j.s.Image = nil
	return j, nil
}

func (r *predictRun) path(i int) string { return filepath.Join(r.dir, r.ids[i]+".png") }

func (r *predictRun) predict(ctx context.Context, j *job) error {
	if j.pred != nil {
		return nil
	}
	var err error
	if j.rest, err = j.begin(ctx); err != nil {
		return fmt.Errorf("predict %s: %w", r.ids[j.i], err)
	}
	j.begin = nil
	if _, ok := r.p.(models.Refiner); ok {
		return nil
	}
	return r.refine(ctx, j)
}

// refine does what the predictor left to do.
func (r *predictRun) refine(ctx context.Context, j *job) error {
	var err error
	if j.pred, err = j.rest(ctx); err != nil {
		return fmt.Errorf("predict %s: %w", r.ids[j.i], err)
	}
	if j.pred.Size() != j.size {
		return fmt.Errorf("predict %s: label map of %d×%d for an image of %d×%d", r.ids[j.i], j.pred.W, j.pred.H, j.size.X, j.size.Y)
	}
	j.rest = nil
	return nil
}

func (r *predictRun) finish(c *counter, j job) error {
	if !r.ready[j.i] {
		if err := data.WriteLabelMap(r.path(j.i), j.pred); err != nil {
			return err
		}
		r.made.Add(1)
	}
	if j.s.Truth != nil {
		var err error
		if r.images[j.i], err = c.add(r.ids[j.i], j.s.Truth, j.pred, "the truth of "+r.ids[j.i], r.path(j.i)); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.progress != nil {
		r.progress(r.done, len(r.ids))
	}
	return nil
}
