package clip

import (
	"context"
	"fmt"

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

// ZeroShot scores CLIP without any training on a split: the probability of a
// class is its share in the softmax over the prompts of all classes, words. It is what
// fine-tuning is compared with (METHODS §7, paper 002).
func ZeroShot(ctx context.Context, m *clip.Model, words [][]float32, ds data.Dataset, name string, progress func(done, total int)) (*multilabel.Metrics, error) {
	s, err := multilabel.ReadSplit(ds, name, "ignore")
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, len(s.IDs))
	for i, id := range s.IDs {
		sample, err := ds.Load(id, data.WantImage)
		if err != nil {
			return nil, err
		}
		image, err := m.Image(ctx, imageproc.FromImage(sample.Image))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		rows[i] = clip.Softmax(clip.Logits(image[0], words, clip.LogitScale))
		if progress != nil {
			progress(i+1, len(s.IDs))
		}
	}
	return multilabel.Measure(s, rows)
}

// PromptWords are what classes are called in prompts: VOC's and COCO's as
// paper 002 renames them, others by their names.
func PromptWords(classes data.Classes) []clip.Words {
	called := map[string]string{}
	for _, kind := range openimages.Kinds {
		table, err := openimages.Classes(kind)
		if err != nil {
			continue // the package's own table, tested there
		}
		for _, c := range table {
			called[c.Name] = c.Word
		}
	}
	var words []clip.Words
	for _, name := range classes.Names[1:] {
		if w, ok := called[name]; ok {
			name = w
		}
		words = append(words, clip.Words{name})
	}
	return words
}
