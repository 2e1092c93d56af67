package multilabel

import (
	"context"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/augment"
	"wsss/train/batches"
)

// loader makes batches of a split's images.
type loader struct {
	*Examples
	net     Net
	batch   int
	shuffle *batches.Order // nil: the images in order, as they are at test time
}

// batch is the input of one forward pass.
type batch struct {
	ids            []string
	index          []int           // in the split
	images         *tensors.Tensor // [batch, Net.Image()...]
	targets, known *tensors.Tensor // [batch, classes]: 1 for present, 1 for known
}

// free returns the memory, which is not Go's on some backends.
func (b *batch) free() {
	for _, t := range []*tensors.Tensor{b.images, b.targets, b.known} {
		_ = t.FinalizeAll()
	}
}

// load makes the batch whose first image is the given draw.
func (l *loader) load(first int64) (*batch, error) {
	b := &batch{}
	shape := append([]int{l.batch}, l.net.Image()...)
	per := 1
	for _, n := range shape[1:] {
		per *= n
	}
	pixels := make([]float32, l.batch*per)
	targets, known := make([]float32, l.batch*l.Classes), make([]float32, l.batch*l.Classes)
	for i := range l.batch {
		index := int((first + int64(i)) % int64(len(l.IDs)))
		var rng *rand.Rand
		if l.shuffle != nil {
			var epoch int64
			epoch, index = l.shuffle.At(first + int64(i))
			rng = augment.RNG(l.shuffle.Seed, epoch, int64(index))
		}
		s, err := l.ds.Load(l.IDs[index], data.WantImage)
		if err != nil {
			return nil, err
		}
		l.net.Prepare(pixels[i*per:(i+1)*per], s.Image, rng)
		for c := range l.Classes {
			at := i*l.Classes + c
			if l.labels[index].has(c + 1) {
				targets[at], known[at] = 1, 1
			} else if l.labels[index].lacks(c + 1) {
				known[at] = 1
			}
		}
		b.ids, b.index = append(b.ids, s.ID), append(b.index, index)
	}
	b.images = tensors.FromFlatDataAndDimensions(pixels, shape...)
	b.targets = tensors.FromFlatDataAndDimensions(targets, l.batch, l.Classes)
	b.known = tensors.FromFlatDataAndDimensions(known, l.batch, l.Classes)
	return b, nil
}

// prefetch loads n batches in the background, from a draw on.
func (l *loader) prefetch(ctx context.Context, first int64, n, workers int) (next func() (*batch, error), stop func()) {
	return batches.Prefetch(ctx, n, workers, func(i int) (*batch, error) { return l.load(first + int64(i)*int64(l.batch)) })
}

// score runs the network on a whole split; rows are probabilities.
func (r *run) score(ctx context.Context, s *Examples) ([][]float32, error) {
	b := min(r.Batch, len(s.IDs))
	l := &loader{Examples: s, net: r.net, batch: b}
	batches := (len(s.IDs) + b - 1) / b
	next, stop := l.prefetch(ctx, 0, batches, r.Workers)
	defer stop()
	rows := make([][]float32, len(s.IDs))
	for range batches {
		in, err := next()
		if err != nil {
			return nil, err
		}
		out, err := Call(r.forward, in.images)
		in.free()
		if err != nil {
			return nil, err
		}
		for i, index := range in.index { // the last batch wraps around
			rows[index] = out[0][i*s.Classes : (i+1)*s.Classes]
		}
	}
	return rows, nil
}
