// Package eval scores label maps: pseudo-labels, trained networks, zero-shot
// methods and other tools' folders alike, with one confusion matrix over the
// whole set (METHODS §10).
package eval

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

// Shaper is a Predictor that compiles the network for a shape: images whose
// sizes it maps to the same shape share it. Predict takes images of one shape
// after another, so that few compiled networks are in memory.
type Shaper interface {
	Shape(size image.Point) image.Point
}

// Preparer is a Predictor that can do its work on the host ahead, such as
// normalising the image. Prepare may be called from several goroutines, also
// while the function of another image runs; these run one at a time, as
// Predict does.
type Preparer interface {
	Predictor
	Prepare(img *image.NRGBA) func(ctx context.Context) (*data.LabelMap, error)
}
