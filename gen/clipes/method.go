// Package clipes holds the gen methods that make class activation maps from a
// vision transformer: "clip-es", by CLIP and words alone (docs/sources.md §6), and
// "vit-cam", by a classifier that was fine-tuned from CLIP's image encoder
// (docs/sources.md §7). Both refine the maps by the transformer's own attention and a
// dense CRF, and are sources of class scores for the methods that refine.
package clipes

import (
	"context"
	"fmt"
	"slices"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/load"
	"wsss/models/foundation/vitcam"
)

func init() {
	gen.RegisterOf("clip-es", gen.Spec{
		Doc:          "CLIP-ES: maps of the image's tags from CLIP by words, refined by its attention and a CRF; no training",
		Weak:         []data.WeakKind{data.WeakTags},
		NeedsBackend: true,
	}, gen.Of[clipesOptions]{
		Decode: func(table map[string]any) (clipesOptions, error) {
			return gen.Decode(table, defaultCLIPES(), clipesOptions.check)
		},
		New:   newCLIPES,
		Needs: clipesOptions.needs,
	})
}

// method makes maps. It is safe for concurrent use.
type method struct {
	name    string
	opts    mapOptions
	model   *vitcam.Model
	hashes  map[string]string
	classes int                    // background not counted
	tau     float64                // threshold of the boxes
	among   func(tags []int) []int // what the probability of a class is relative to, from 0
}

var _ source.Scorer = (*method)(nil)

// newMethod fills what both methods share.
func newMethod(env gen.Env, name string, o mapOptions) (*method, error) {
	if o.Save != "" && len(env.Gen.Checks) > 0 {
		return nil, fmt.Errorf("gen.options.save: not with gen.checks, which make scores of changed images, too")
	}
	m := &method{name: name, opts: o, classes: env.Classes.Len() - 1, tau: 0.4}
	if isCOCO(env.Classes) {
		m.tau = 0.7
	}
	if o.BoxThreshold != nil {
		m.tau = *o.BoxThreshold
	}
	return m, nil
}

func newCLIPES(env gen.Env, o clipesOptions) (gen.Method, error) {
	m, err := newMethod(env, "clip-es", o.mapOptions)
	if err != nil {
		return nil, err
	}
	words, background, err := texts(env.Classes, o.Words, o.Background)
	if err != nil {
		return nil, err
	}
	if o.Softmax && len(background) == 0 && !o.Absent {
		return nil, fmt.Errorf("gen.options.background is empty: without it, absent = true or softmax = false is needed")
	}
	files, err := load.Choice{Model: o.CLIP, Dir: o.ModelDir, Files: map[string]string{"vision": o.Vision, "text": o.Text, "merges": o.Merges}}.Resolve("clip")
	if err != nil {
		return nil, err
	}
	features, hashes, err := embed(env, files, o.Templates, slices.Concat(words, background))
	if err != nil {
		return nil, err
	}
	net := o.network()
	net.Output, net.Texts, net.Scale, net.Softmax = "image_embeds", features, float32(o.LogitScale), o.Softmax
	if m.model, err = vitcam.Open(env.Backend, files["vision"], net); err != nil {
		return nil, err
	}
	m.hashes = hashes
	m.among = func(tags []int) []int {
		first := len(words)
		if o.Absent {
			first = 0
		}
		var list []int
		for _, t := range tags {
			list = append(list, t-1)
		}
		for i := first; i < len(features); i++ {
			list = append(list, i)
		}
		return list
	}
	return m, nil
}

// embed embeds texts, with the hashes of CLIP's files. The models are freed.
func embed(env gen.Env, files map[string]string, templates []string, words []clip.Words) (features [][]float32, hashes map[string]string, err error) {
	model, opened, err := load.CLIP(env.Backend, files["vision"], files["text"], files["merges"], load.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer opened.Close()
	if features, err = model.Ensemble(context.Background(), templates, words); err != nil {
		return nil, nil, err
	}
	return features, opened.Hashes(), nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *method) Weights() map[string]string { return m.hashes }

// Rule is the background's score (docs/sources.md §6.3).
func (m *method) Rule() source.ScoreOptions { return m.opts.rule() }

// Scores are the refined maps of the image's tags, 0..1 each, at the size of
// the image; they are saved where the options say so.
func (m *method) Scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	scores, err := m.maps(ctx, s)
	if err == nil && m.opts.Save != "" {
		err = source.SaveCLIPES(m.opts.Save, s.ID, scores)
	}
	return scores, err
}

func (m *method) maps(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("%s needs the image, and it has no pixels", m.name)
	}
	tags, err := source.Tags(s, m.classes)
	if err != nil {
		return nil, err
	}
	size := s.Image.Rect.Size()
	if len(tags) == 0 {
		return &source.Scores{W: size.X, H: size.Y}, nil
	}
	img, err := m.model.Embed(ctx, imageproc.FromImage(s.Image))
	if err != nil {
		return nil, err
	}
	defer img.Free()
	var t []float32
	if m.opts.CAA {
		t = affinity(img.Attention, img.W*img.H)
	}
	small := &source.Scores{W: img.W, H: img.H, Classes: tags}
	classes := make([]int, len(tags))
	for i, tag := range tags {
		classes[i] = tag - 1
	}
	cams, err := m.model.CAMs(ctx, img, classes, m.among(tags))
	if err != nil {
		return nil, err
	}
	for _, cam := range cams {
		if normalise(cam); m.opts.CAA {
			cam = spread(cam, t, img.W, img.H, m.tau)
		}
		small.Maps = append(small.Maps, cam)
	}
	return small.Resize(size.X, size.Y), nil
}

// Generate returns one mask per class that wins somewhere.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if !m.opts.CRF {
		return source.Masks(ctx, m, s, m.name)
	}
	scores, err := m.Scores(ctx, s)
	if err != nil || len(scores.Classes) == 0 {
		return nil, err
	}
	label, confidence, err := m.opts.Field.Label(s.Image, scores, m.Rule())
	if err != nil {
		return nil, err
	}
	return gen.LabelMasks(label, confidence, m.name), nil
}
