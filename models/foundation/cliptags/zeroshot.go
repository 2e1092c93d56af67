package cliptags

import (
	"context"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/openimages"
	"wsss/models/foundation/clip"
)

// Prompts embeds the classes after the background, each of length 1. They are
// called as openimages.Word says.
func Prompts(ctx context.Context, m *clip.Model, classes data.Classes) ([][]float32, error) {
	var words []clip.Words
	for _, name := range classes.Names[1:] {
		words = append(words, clip.Words{openimages.Word(name)})
	}
	return m.Ensemble(ctx, clip.DefaultTemplates, words)
}

// ZeroShot are the probabilities of the classes by CLIP without any training:
// the share of each in the softmax over prompts, the embeddings of all classes.
func ZeroShot(ctx context.Context, m *clip.Model, prompts [][]float32, img *imageproc.RGB) ([]float32, error) {
	embedding, err := m.Image(ctx, img)
	if err != nil {
		return nil, err
	}
	return clip.Softmax(clip.Logits(embedding[0], prompts, clip.LogitScale)), nil
}
