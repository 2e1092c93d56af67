package eval

import (
	"context"
	"image"
	"sync"

	"wsss/data"
	"wsss/models"
)

// Pool spreads images over the same predictor on several devices: each goes to
// the one that has the fewest, and which one it is changes nothing. It is its
// only predictor where there is one.
func Pool(list []models.Predictor) models.Predictor {
	if len(list) == 1 {
		return list[0]
	}
	return &pool{list: list, turns: make([]sync.Mutex, len(list))}
}

type pool struct {
	list []models.Predictor

	work  data.Balance // images at each
	turns []sync.Mutex // calls of a predictor run one at a time
}

// aDevice is how many images are at a device at a time: one is computed, one
// prepared or finished on the host.
const aDevice = 2

// refiners is how many images the predictors take at a time.
func (p *pool) refiners() int { return aDevice * len(p.list) }

// Predict labels an image on one of the devices.
func (p *pool) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	k := p.work.Take(len(p.list))
	defer p.work.Done(k)
	if own, ok := p.list[k].(models.Preparer); ok {
		label := own.Prepare(img)
		p.turns[k].Lock()
		defer p.turns[k].Unlock()
		return label(ctx)
	}
	rest, err := p.begin(ctx, k, img)
	if err != nil {
		return nil, err
	}
	return rest(ctx)
}

func (p *pool) begin(ctx context.Context, k int, img *image.NRGBA) (rest, error) {
	p.turns[k].Lock()
	defer p.turns[k].Unlock()
	return models.Begin(ctx, p.list[k], img)
}

// Begin leaves all of the work to the function it returns, so that several
// images are worked on at a time.
func (p *pool) Begin(_ context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	return func(ctx context.Context) (*data.LabelMap, error) { return p.Predict(ctx, img) }, nil
}

// Shape implements models.Shaper.
func (p *pool) Shape(size image.Point) image.Point {
	if s, ok := p.list[0].(models.Shaper); ok {
		return s.Shape(size)
	}
	return image.Point{}
}

// Foresee implements models.Foreseer. Each device compiles for itself, and
// nobody knows which of them meets a shape.
func (p *pool) Foresee(shapes []image.Point) {
	if f, ok := p.list[0].(models.Foreseer); ok {
		f.Foresee(shapes)
	}
}
