package train

import (
	"context"
	"image"
)

// Scores gives the mean logits of every pixel of an image, row by row; f must
// not keep z. A dense CRF takes them (eval/refine).
func (p *Predictor) Scores(ctx context.Context, img *image.NRGBA, f func(pixel int, z []float32)) error {
	return p.scores(ctx, img, f)
}
