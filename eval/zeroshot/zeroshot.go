// Package zeroshot lets a gen method that needs no weak labels, such as tags
// from RAM, boxes from Grounding-DINO and masks from SAM, label validation and
// test images directly, so that one table scores it beside trained networks
// (docs/sources.md §5).
package zeroshot

import (
	"context"
	"image"

	"wsss/data"
	"wsss/gen"
	"wsss/models"
)

// Predictor labels images with a method and a fusion rule.
type Predictor struct {
	Method gen.Method
	Fuser  gen.Fuser
	ID     string          // of the image, for methods that read files by it; "" = none
	Weak   data.WeakLabels // of the image, for methods that need some
}

var _ models.Predictor = Predictor{}

// Predict generates the masks of one image and fuses them. Pixels that the fusion leaves undecided stay data.Ignore, which
// evaluation counts as background (docs/sources.md §10).
func (p Predictor) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	masks, err := p.Method.Generate(ctx, &data.Sample{ID: p.ID, Image: img, Weak: p.Weak})
	if err != nil {
		return nil, err
	}
	return p.Fuser.Fuse(img.Rect.Size(), masks)
}
