package clip

import (
	"context"
	"image"

	"wsss/data/imageproc"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/cliptags"
	"wsss/train/multilabel"
)

// ZeroShot scores images by CLIP without any training, with the prompts of
// cliptags.Prompts. It is what fine-tuning is compared with (docs/sources.md §7,
// box2024).
func ZeroShot(ctx context.Context, m *clip.Model, prompts [][]float32, s *multilabel.Examples, progress func(done, total int)) ([][]float32, error) {
	rows := make([][]float32, len(s.IDs))
	err := s.Each(ctx, progress, func(i int, img image.Image) (err error) {
		rows[i], err = cliptags.ZeroShot(ctx, m, prompts, imageproc.FromImage(img))
		return err
	})
	return rows, err
}
