package models

import (
	"context"
	"image"

	"wsss/data"
)

// Predictor labels one image at its own size. Trained networks and zero-shot
// methods implement it alike, so that one table compares them.
type Predictor interface {
	Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error)
}

// Refiner is a Predictor of two parts: a network, and what the host makes of
// its scores. Begin is the network's; calls run one at a time, as Predict's do.
// The function it returns is the rest, and may run on another goroutine while
// the network takes the next image.
type Refiner interface {
	Predictor
	Begin(ctx context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error)
}

// Begin is p.Begin, or p.Predict with nothing left to do.
func Begin(ctx context.Context, p Predictor, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	if r, ok := p.(Refiner); ok {
		return r.Begin(ctx, img)
	}
	label, err := p.Predict(ctx, img)
	return func(context.Context) (*data.LabelMap, error) { return label, nil }, err
}

// Shaper is a Predictor that compiles the network for a shape: images whose
// sizes it maps to the same shape share it. Predict takes images of one shape
// after another, so that few compiled networks are in memory.
type Shaper interface {
	Shape(size image.Point) image.Point
}

// Foreseer is a Shaper that can tell beforehand, where compiling takes long, how
// much of it the shapes of all images are.
type Foreseer interface {
	Shaper
	Foresee(shapes []image.Point)
}

// Preparer is a Predictor that can do its work on the host ahead, such as
// normalising the image. Prepare may be called from several goroutines, also
// while the function of another image runs; these run one at a time, as
// Predict does.
type Preparer interface {
	Predictor
	Prepare(img *image.NRGBA) func(ctx context.Context) (*data.LabelMap, error)
}
