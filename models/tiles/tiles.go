// Package tiles labels large images in overlapping tiles, so that the memory a
// network takes does not grow with the image. A tile has the image's own
// resolution, at which networks are trained on crops; what is larger than a
// tile is seen in parts only.
package tiles

import (
	"context"
	"image"
	"math"

	"wsss/data"
	"wsss/models"
)

// Options says what is large and how it is cut.
type Options struct {
	// Pixels is the area from which on images are cut; smaller ones are labelled
	// whole.
	Pixels int
	// Side of a tile in pixels.
	Side int
	// Overlap is how many pixels neighbours share at least; of each the outer
	// half is thrown away, where the network lacks surroundings.
	Overlap int
}

// wholeScores bounds the scores, one for each pixel and class, of an image that
// is labelled whole: some 60 bytes each are in use at a time. tileScores is the
// same of a tile.
const (
	wholeScores = 1 << 26
	tileScores  = 9 << 20
)

// For is the choice for a predictor that has so many scores of each pixel in
// memory: 3.2 megapixels and tiles of 640 pixels with 21 classes.
func For(scores int) Options {
	side := int(math.Sqrt(float64(tileScores)/float64(max(scores, 1)))) / 64 * 64
	side = min(max(side, 256), 640) // with few classes, what the network itself takes counts
	return Options{Pixels: wholeScores / max(scores, 1), Side: side, Overlap: side / 6}
}

// Cuts tells whether an image of this size is cut.
func (o Options) Cuts(size image.Point) bool {
	return size.X*size.Y > o.Pixels && (size.X > o.Side || size.Y > o.Side)
}

// Wrap is a predictor that cuts large images. It prepares, or refines, where p
// does.
func Wrap(p models.Predictor, o Options) models.Predictor {
	t := predictor{p, o}
	switch p := p.(type) {
	case models.Refiner:
		return refiner{t, p}
	case models.Preparer:
		return preparer{t, p}
	}
	return t
}

type predictor struct {
	p models.Predictor
	o Options
}

// Predict labels an image at its own size.
func (t predictor) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	if !t.o.Cuts(img.Rect.Size()) {
		return t.p.Predict(ctx, img)
	}
	return t.cut(ctx, img)
}

// cut labels the tiles one after the other. All have the same size, and so one
// compiled network.
func (t predictor) cut(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	size := img.Rect.Size()
	out := data.NewLabelMap(size.X, size.Y)
	for _, y := range t.o.spans(size.Y) {
		for _, x := range t.o.spans(size.X) {
			tile := image.Rect(x.from, y.from, x.to, y.to).Add(img.Rect.Min)
			rest, err := models.Begin(ctx, t.p, crop(img, tile))
			if err != nil {
				return nil, err
			}
			label, err := rest(ctx)
			if err != nil {
				return nil, err
			}
			for row := y.keepFrom; row < y.keepTo; row++ {
				copy(out.Pix[row*out.W+x.keepFrom:row*out.W+x.keepTo], label.Pix[(row-y.from)*label.W+x.keepFrom-x.from:])
			}
		}
	}
	return out, nil
}

// Shape is the network's, of a tile where the image is cut; it implements
// models.Shaper.
func (t predictor) Shape(size image.Point) image.Point {
	if t.o.Cuts(size) {
		size = image.Pt(min(size.X, t.o.Side), min(size.Y, t.o.Side))
	}
	if s, ok := t.p.(models.Shaper); ok {
		return s.Shape(size)
	}
	return image.Point{}
}

// Foresee implements models.Foreseer.
func (t predictor) Foresee(shapes []image.Point) {
	if f, ok := t.p.(models.Foreseer); ok {
		f.Foresee(shapes)
	}
}

type refiner struct {
	predictor
	r models.Refiner
}

// Begin is the whole work for an image that is cut: the scores of all its tiles
// would take too much.
func (t refiner) Begin(ctx context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	if !t.o.Cuts(img.Rect.Size()) {
		return t.r.Begin(ctx, img)
	}
	label, err := t.cut(ctx, img)
	return func(context.Context) (*data.LabelMap, error) { return label, nil }, err
}

type preparer struct {
	predictor
	pre models.Preparer
}

// Prepare does nothing ahead for an image that is cut.
func (t preparer) Prepare(img *image.NRGBA) func(ctx context.Context) (*data.LabelMap, error) {
	if !t.o.Cuts(img.Rect.Size()) {
		return t.pre.Prepare(img)
	}
	return func(ctx context.Context) (*data.LabelMap, error) { return t.cut(ctx, img) }
}

// span is a tile along one side of an image, and the part of it that is kept.
type span struct{ from, to, keepFrom, keepTo int }

// spans spreads the fewest tiles evenly over a length; neighbours meet in the
// middle of what they share.
func (o Options) spans(length int) []span {
	if length <= o.Side {
		return []span{{0, length, 0, length}}
	}
	step := max(o.Side-o.Overlap, 1)
	n := (length - o.Overlap + step - 1) / step
	list := make([]span, n)
	for i := range list {
		from := 0
		if n > 1 {
			from = i * (length - o.Side) / (n - 1)
		}
		list[i] = span{from, from + o.Side, 0, length}
		if i > 0 {
			middle := (from + list[i-1].to) / 2
			list[i-1].keepTo, list[i].keepFrom = middle, middle
		}
	}
	return list
}

// crop copies a tile.
func crop(img *image.NRGBA, r image.Rectangle) *image.NRGBA {
	out := image.NewNRGBA(image.Rectangle{Max: r.Size()})
	for y := range out.Rect.Max.Y {
		copy(out.Pix[y*out.Stride:(y+1)*out.Stride], img.Pix[img.PixOffset(r.Min.X, r.Min.Y+y):])
	}
	return out
}
