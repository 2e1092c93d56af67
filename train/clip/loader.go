package clip

import (
	"context"
	"runtime"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/augment"
	"wsss/models/foundation/imageproc"
)

// loader makes batches. Which image comes when, and how it is augmented,
// depends on the seed and the draw's number alone.
type loader struct {
	*split
	size    int
	batch   int
	augment string
	seed    int64
	shuffle bool

	mu     sync.Mutex
	orders map[int64][]int // of the latest epochs
}

// batch is the input of one forward pass.
type batch struct {
	ids            []string
	index          []int           // in the split
	images         *tensors.Tensor // [batch, 3, size, size]
	targets, known *tensors.Tensor // [batch, classes]: 1 for present, 1 for known
}

// free returns the memory, which is not Go's on some backends.
func (b *batch) free() {
	for _, t := range []*tensors.Tensor{b.images, b.targets, b.known} {
		_ = t.FinalizeAll()
	}
}

// draw returns the epoch of a draw and its image: every epoch is a fresh
// permutation.
func (l *loader) draw(number int64) (epoch int64, index int) {
	n := int64(len(l.ids))
	epoch = number / n
	if !l.shuffle {
		return epoch, int(number % n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	order, ok := l.orders[epoch]
	if !ok {
		if l.orders == nil {
			l.orders = map[int64][]int{}
		}
		for e := range l.orders {
			if e < epoch-1 {
				delete(l.orders, e)
			}
		}
		order = augment.RNG(l.seed, epoch, -1).Perm(len(l.ids))
		l.orders[epoch] = order
	}
	return epoch, order[number%n]
}

// load makes the batch whose first image is the given draw.
func (l *loader) load(first int64) (*batch, error) {
	b := &batch{}
	per := 3 * l.size * l.size
	pixels := make([]float32, l.batch*per)
	targets, known := make([]float32, l.batch*l.classes), make([]float32, l.batch*l.classes)
	for i := range l.batch {
		epoch, index := l.draw(first + int64(i))
		s, err := l.ds.Load(l.ids[index], data.WantImage)
		if err != nil {
			return nil, err
		}
		prepare(pixels[i*per:(i+1)*per], imageproc.FromImage(s.Image), l.size, l.augment, augment.RNG(l.seed, epoch, int64(index)))
		for c := range l.classes {
			at := i*l.classes + c
			if l.labels[index].has(c + 1) {
				targets[at], known[at] = 1, 1
			} else if l.labels[index].lacks(c + 1) {
				known[at] = 1
			}
		}
		b.ids, b.index = append(b.ids, s.ID), append(b.index, index)
	}
	b.images = tensors.FromFlatDataAndDimensions(pixels, l.batch, 3, l.size, l.size)
	b.targets = tensors.FromFlatDataAndDimensions(targets, l.batch, l.classes)
	b.known = tensors.FromFlatDataAndDimensions(known, l.batch, l.classes)
	return b, nil
}

// prefetch loads n batches from a draw on in the background, workers at a
// time, and returns a function that gives them in order. As many batches as
// workers, and two more, are in memory at most. stop must be called.
func (l *loader) prefetch(ctx context.Context, first int64, n, workers int) (next func() (*batch, error), stop func()) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	type result struct {
		b   *batch
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	ordered := make(chan chan result, workers) // bounds what is loaded ahead
	slots := make(chan struct{}, workers)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			out := make(chan result, 1)
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case ordered <- out:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				b, err := l.load(first + int64(i)*int64(l.batch))
				out <- result{b, err}
				<-slots
			})
		}
	})
	next = func() (*batch, error) {
		select {
		case out := <-ordered:
			select {
			case r := <-out:
				return r.b, r.err
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	}
	return next, func() {
		cancel()
		wg.Wait()
	}
}
