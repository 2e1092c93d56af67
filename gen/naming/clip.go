package naming

import (
	"context"
	"fmt"
	"slices"

	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/foundation/clip"
)

func init() {
	RegisterTagger("clip", TaggerKind{
		Asked: func(o TagOptions) bool { return o.CLIP != "" && o.Classifier == "" },
		Check: func(o TagOptions) error {
			if o.TopN < 0 || !(o.MinProb >= 0 && o.MinProb <= 1) {
				return fmt.Errorf("gen.options.top_n = %d, min_prob = %v: allowed are 0 or more, and 0..1", o.TopN, o.MinProb)
			}
			return nil
		},
		Needs: func(o TagOptions) gen.Needs { return gen.Needs{Models: []string{o.CLIP}} },
		Open:  openZeroShot,
	})
}

// clipTagger compares the whole image with the words of every class.
type clipTagger struct {
	model      *clip.Model
	opts       TagOptions
	features   [][]float32 // of class 1.. at index 0..
	background [][]float32
	negative   map[int][][]float32 // of look-alikes, by class
}

func openZeroShot(o TagOptions, env gen.Env, at Place) (Tagger, map[string]string, error) {
	model, files, err := at.openCLIP(env.Backend, o.CLIP)
	if err != nil {
		return nil, nil, err
	}
	t := &clipTagger{model: model, opts: o}
	var classes, background []clip.Words
	for _, name := range env.Classes.Names[1:] {
		classes = append(classes, o.Words.Of(name))
	}
	if o.Background == nil {
		o.Background = clip.Background
	}
	for _, w := range o.Background {
		background = append(background, clip.Words{w})
	}
	if len(o.Templates) == 0 {
		o.Templates = clip.DefaultTemplates
	}
	ctx := context.Background()
	if t.features, err = model.Ensemble(ctx, o.Templates, classes); err == nil {
		t.background, err = model.Ensemble(ctx, o.Templates, background)
	}
	t.negative = map[int][][]float32{}
	for class, name := range env.Classes.Names {
		var words []clip.Words
		for _, w := range o.Negative[name] {
			words = append(words, clip.Words{w})
		}
		if len(words) > 0 && err == nil {
			t.negative[class], err = model.Ensemble(ctx, o.Templates, words)
		}
	}
	return t, files.Hashes(), err
}

// Classes are the best top_n, or those at least as probable as min_prob.
func (t *clipTagger) Classes(ctx context.Context, img *imageproc.RGB) ([]int, error) {
	rows, err := t.model.Image(ctx, img)
	if err != nil {
		return nil, err
	}
	logits := clip.Logits(rows[0], t.features, clip.LogitScale)
	probs := clip.MultiLabel(logits, clip.Logits(rows[0], t.background, clip.LogitScale))
	n := t.opts.TopN
	if n == 0 {
		n = len(logits)
	}
	var list []int
	for _, i := range clip.TopN(logits, len(logits)) {
		if len(list) == n {
			break
		}
		if !t.resembles(rows[0], i+1, logits[i]) && float64(probs[i]) >= t.opts.MinProb {
			list = append(list, i+1)
		}
	}
	slices.Sort(list)
	return list, nil
}

// resembles tells whether a negative word of the class fits the image at least
// as well as the class, whose logit is given.
func (t *clipTagger) resembles(image []float32, class int, logit float32) bool {
	negative := t.negative[class]
	return len(negative) > 0 && slices.Max(clip.Logits(image, negative, clip.LogitScale)) >= logit
}
