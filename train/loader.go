package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/augment"
	"wsss/data/corrections"
	"wsss/models/backend"
	"wsss/train/batches"
	"wsss/train/parallel"
)

// loader reads and augments training images. Which image comes when, and how
// it is augmented, depends on the seed and the draw's number alone.
type loader struct {
	ds        data.Dataset
	ids       []string
	labelsDir string // "" = true masks
	classes   int
	aug       augment.Options
	grids     []grid
	batch     int
	order     *batches.Order
	// Use of the masks' scores: "none", "mask" (pixels below minScore are left
	// out) or "weight" (scores weigh the loss).
	confidence string
	scoresDir  string // of the sidecars that hold them
	minScore   float64
	copyPaste  float64 // probability that objects of another image are pasted
	pasteMin   float64 // score of their masks, at least

	places func(most int) int // models.Learner's; nil for other networks

	features *featureCache // what the network sees instead of images; nil = the images
}

// batch is the input of one forward pass.
type batch struct {
	ids     []string
	images  *tensors.Tensor   // [batch, crop, crop, 3]
	labels  []*tensors.Tensor // per grid [batch, h, w], uint8
	weights []*tensors.Tensor // per grid [batch, h, w], float32; none unless pixels have weights
	present []*tensors.Tensor // one of [batch, places], int32, for a models.Learner
}

// inputs lists the tensors in the order of the step graph's parameters.
func (b *batch) inputs() []*tensors.Tensor {
	return slices.Concat([]*tensors.Tensor{b.images}, b.labels, b.weights, b.present)
}

// placed is a batch as the graph takes it.
type placed struct {
	ids []string
	*parallel.Inputs
}

// place uploads a batch where the backend has a memory of its own.
func (r *run) place(b *batch) (placed, error) {
	var in *parallel.Inputs
	var err error
	if backend.KindOf(r.Backend) == backend.XLA {
		in, err = r.devices.Upload(r.Backend, b.inputs())
	} else {
		in = parallel.Local(b.inputs())
	}
	if err != nil {
		in.Free()
	}
	return placed{b.ids, in}, err
}

// weighs tells whether the scores of masks weigh the loss; true masks have none.
func weighs(labelsDir, confidence string) bool { return labelsDir != "" && confidence == "weight" }

// load makes the batch whose first image is the given draw.
func (l *loader) load(first int64) (*batch, error) {
	side := l.aug.Crop
	b := &batch{images: tensors.FromShape(shapes.Make(dtypes.Float32, l.batch, side, side, 3))}
	if c := l.features; c != nil {
		b.images = tensors.FromShape(shapes.Make(dtypes.Float32, l.batch, c.h, c.w, c.width))
	}
	for _, g := range l.grids {
		b.labels = append(b.labels, tensors.FromShape(shapes.Make(dtypes.Uint8, l.batch, g.h, g.w)))
		if weighs(l.labelsDir, l.confidence) {
			b.weights = append(b.weights, tensors.FromShape(shapes.Make(dtypes.Float32, l.batch, g.h, g.w)))
		}
	}
	crop := make([]uint8, side*side)
	for i := range l.batch {
		epoch, index := l.order.At(first + int64(i))
		if err := l.draw(b, i, crop, index, augment.RNG(l.order.Seed, epoch, int64(index))); err != nil {
			return nil, err
		}
	}
	if l.places != nil {
		b.present = []*tensors.Tensor{present(b.labels[0], l.places)}
	}
	return b, nil
}

// present are the classes that each of the label maps [batch, height, width] has,
// [batch, places], −1 in places that are left.
func present(labels *tensors.Tensor, places func(most int) int) *tensors.Tensor {
	n, most := labels.Shape().Dim(0), 0
	lists := make([][]int32, n)
	tensors.MustConstFlatData(labels, func(flat []uint8) {
		for i, m := range slices.Collect(slices.Chunk(flat, len(flat)/n)) {
			var seen [256]bool
			for _, v := range m {
				seen[v] = true
			}
			for c := range data.Ignore {
				if seen[c] {
					lists[i] = append(lists[i], int32(c))
				}
			}
			most = max(most, len(lists[i]))
		}
	})
	k := places(most)
	flat := slices.Repeat([]int32{-1}, n*k)
	for i, list := range lists {
		copy(flat[i*k:], list)
	}
	return tensors.FromFlatDataAndDimensions(flat, n, k)
}

// draw fills place i of a batch with a crop of an image.
func (l *loader) draw(b *batch, i int, crop []uint8, index int, rng *rand.Rand) error {
	id := l.ids[index]
	defer data.Hold(l.ds, id, 8)()
	s, err := l.sample(id)
	if err != nil {
		return err
	}
	r, err := l.regions(s)
	if err != nil {
		return err
	}
	b.ids = append(b.ids, s.ID)
	at := l.aug.Draw(rng, s.Image.Rect.Dx(), s.Image.Rect.Dy())
	tensors.MustMutableFlatData(b.images, func(flat []float32) {
		n := l.aug.Crop * l.aug.Crop * 3
		if c := l.features; c != nil {
			n = c.h * c.w * c.width
			if err = l.aug.Apply(make([]float32, len(crop)*3), crop, s.Image, r.m, at); err == nil {
				err = c.read(flat[i*n:(i+1)*n], s.ID, at.Flip)
			}
			return
		}
		pixels := flat[i*n : (i+1)*n]
		if err = l.aug.Apply(pixels, crop, s.Image, r.m, at); err == nil {
			err = l.paste(pixels, crop, index, rng)
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.ID, err)
	}
	l.fill(b, i, crop, r)
	return nil
}

// fill writes the label maps and weights of image i of a batch.
func (l *loader) fill(b *batch, i int, crop []uint8, r *regions) {
	for k, g := range l.grids {
		n := g.h * g.w
		small := make([]uint8, n)
		shrinkLabels(small, g, crop, l.aug.Crop)
		tensors.MustMutableFlatData(b.labels[k], func(flat []uint8) {
			for j, v := range small {
				flat[i*n+j] = r.label[v]
			}
		})
		if len(b.weights) > 0 {
			tensors.MustMutableFlatData(b.weights[k], func(flat []float32) {
				for j, v := range small {
					flat[i*n+j] = r.weight[v]
				}
			})
		}
	}
}

// regions applies the masks' scores to the labels of a sample.
func (l *loader) regions(s *data.Sample) (*regions, error) {
	if l.labelsDir == "" || l.confidence == "" || l.confidence == "none" {
		return plainRegions(s.Truth), nil
	}
	conf, err := Confidence(l.scoresDir, s.ID, s.Truth)
	if err != nil {
		return nil, err
	}
	if l.confidence == "weight" {
		return weighted(s.Truth, conf), nil
	}
	for i, c := range conf {
		if float64(c) < l.minScore {
			s.Truth.Pix[i] = data.Ignore
		}
	}
	return plainRegions(s.Truth), nil
}

// sample reads an image and what to train it on, and checks the range of the
// labels: on a device an index beyond the classes would go unnoticed.
func (l *loader) sample(id string) (*data.Sample, error) {
	if l.labelsDir == "" {
		s, err := l.ds.Load(id, data.WantImage|data.WantTruth)
		if err != nil {
			return nil, err
		}
		if err := s.Truth.CheckRange(l.classes); err != nil {
			return nil, fmt.Errorf("true mask of %s: %w", id, err)
		}
		return s, nil
	}
	s, err := l.ds.Load(id, data.WantImage)
	if err != nil {
		return nil, err
	}
	s.Truth, err = readLabels(l.labelsDir, l.ds, s, l.classes)
	return s, err
}

// readLabels is the label map of an image in a folder of them.
func readLabels(dir string, ds data.Dataset, s *data.Sample, classes int) (*data.LabelMap, error) {
	path, err := files.Join(dir, s.ID+".png")
	if err != nil {
		return nil, err
	}
	m, err := data.ReadLabelMap(path)
	if err != nil {
		return nil, err
	}
	if err := m.CheckRange(classes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.Size() != s.Image.Rect.Size() {
		return nil, fmt.Errorf("%s: %d×%d pixels, the image %s has %d×%d", path, m.W, m.H, ds.ImagePath(s.ID), s.Image.Rect.Dx(), s.Image.Rect.Dy())
	}
	return m, corrections.Over(ds, s.ID, m)
}

// shrinkLabels samples a square label map at the centres of a grid's cells,
// PIL's nearest rule (docs/sources.md §8.1).
func shrinkLabels(dst []uint8, g grid, src []uint8, side int) {
	if g.h == side && g.w == side {
		copy(dst, src)
		return
	}
	for y := range g.h {
		row := src[(2*y+1)*side/(2*g.h)*side:]
		for x := range g.w {
			dst[y*g.w+x] = row[(2*x+1)*side/(2*g.w)]
		}
	}
}

// prefetch loads n batches from a draw on in the background.
func (l *loader) prefetch(ctx context.Context, first int64, n, workers int) (next func() (*batch, error), stop func()) {
	return batches.Prefetch(ctx, n, workers, func(i int) (*batch, error) { return l.load(first + int64(i)*int64(l.batch)) })
}
