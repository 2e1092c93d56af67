// Package refine sharpens a network's predictions with a dense CRF before they
// are scored (docs/sources.md §8.1).
package refine

import (
	"context"
	"image"

	"wsss/data"
	"wsss/data/prob"
	"wsss/models/crf"
)

// Scorer gives the logits of every pixel of an image: f is called once per
// pixel, row by row, with one logit per class, and must not keep z.
type Scorer interface {
	Scores(ctx context.Context, img *image.NRGBA, f func(pixel int, z []float32)) error
}

// CRF is a predictor: softmax of the network's logits, mean field, arg-max.
type CRF struct {
	Net     Scorer
	Classes int
	Params  crf.Params // crf.DeepLab() are the papers'

	// Wrapped gives the field the image that deeplab-pytorch gives it: minus
	// the mean colour, cut to bytes, negative values wrapping around. For
	// parity with its numbers; the plain image is the default.
	Wrapped bool
}

// Predict labels an image at its own size.
func (c *CRF) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	field, err := c.Begin(ctx, img)
	if err != nil {
		return nil, err
	}
	return field(ctx)
}

// Begin computes the network's logits of an image, and leaves the field to the
// function it returns. It implements models.Refiner.
func (c *CRF) Begin(ctx context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	w, h, k := img.Rect.Dx(), img.Rect.Dy(), c.Classes
	z := make([]float32, w*h*k)
	err := c.Net.Scores(ctx, img, func(pixel int, logits []float32) { copy(z[pixel*k:(pixel+1)*k], logits) })
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*data.LabelMap, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := 0; i < len(z); i += k {
			prob.Softmax(z[i:i+k], z[i:i+k])
		}
		q, err := crf.Infer(crf.ImageOf(img, c.Wrapped), crf.UnaryFromProbs(z), k, c.Params)
		if err != nil {
			return nil, err
		}
		return crf.Labels(q, w, h, k, 0), nil
	}, nil
}

// Shape is the network's, where it has one: images of one shape share a
// compiled network.
func (c *CRF) Shape(size image.Point) image.Point {
	if s, ok := c.Net.(interface {
		Shape(image.Point) image.Point
	}); ok {
		return s.Shape(size)
	}
	return image.Point{}
}
