package clip

import (
	"context"
	"image"

	"wsss/data"
	"wsss/data/openimages"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/imageproc"
	"wsss/train/multilabel"
)

// Prompts embeds the classes after the background, each of length 1.
func Prompts(ctx context.Context, m *clip.Model, classes data.Classes) ([][]float32, error) {
	return m.Ensemble(ctx, clip.DefaultTemplates, PromptWords(classes))
}

// ZeroShot scores images by CLIP without any training: the probability of a
// class is its share in the softmax over the prompts of all classes, words. It
// is what fine-tuning is compared with (docs/sources.md §7, box2024).
func ZeroShot(ctx context.Context, m *clip.Model, words [][]float32, s *multilabel.Examples, progress func(done, total int)) ([][]float32, error) {
	rows := make([][]float32, len(s.IDs))
	err := s.Each(func(i int, img image.Image) (err error) {
		if rows[i], err = zeroShot(ctx, m, words, imageproc.FromImage(img)); err == nil && progress != nil {
			progress(i+1, len(s.IDs))
		}
		return err
	})
	return rows, err
}

func zeroShot(ctx context.Context, m *clip.Model, words [][]float32, img *imageproc.RGB) ([]float32, error) {
	embedding, err := m.Image(ctx, img)
	if err != nil {
		return nil, err
	}
	return clip.Softmax(clip.Logits(embedding[0], words, clip.LogitScale)), nil
}

// PromptWords are what classes are called in prompts (openimages.Word).
func PromptWords(classes data.Classes) []clip.Words {
	var words []clip.Words
	for _, name := range classes.Names[1:] {
		words = append(words, clip.Words{openimages.Word(name)})
	}
	return words
}
