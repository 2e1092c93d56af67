// Package sam3 holds the gen method "sam3": Segment Anything 3 finds all that a class's
// words, or boxes around some of its objects, mean, and its maps become labels as
// SegEarth-OV3 does it (docs/sources.md §3.7).
package sam3

import (
	"context"
	"fmt"
	"slices"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam3"
)

func init() {
	gen.RegisterOf("sam3", gen.Spec{
		Doc:          "Segment Anything 3: all that the words for the tags (or for all classes) mean, or that boxes on the photo are examples of",
		Weak:         []data.WeakKind{data.WeakTags, data.WeakNone, data.WeakBoxes},
		NeedsBackend: true,
	}, gen.Of[options]{
		Decode: func(table map[string]any) (options, error) {
			return gen.Decode(table, defaults(), options.check)
		},
		New:     newMethod,
		Needs:   options.needs,
		Classes: options.checkClasses,
	})
}

// method makes class maps. It is safe for concurrent use.
type method struct {
	opts    options
	model   *sam3.Model
	hashes  map[string]string
	classes data.Classes
	weak    data.WeakKind
}

var _ source.Scorer = (*method)(nil)

func newMethod(env gen.Env, o options) (gen.Method, error) {
	if err := o.checkClasses(env.Classes); err != nil {
		return nil, err
	}
	model, files, err := load.Model[*sam3.Model](env.Backend, "sam3", o.files(), load.Options{MaxShapes: o.MaxShapes})
	if err != nil {
		return nil, err
	}
	switch {
	case env.Weak == data.WeakBoxes && !model.TakesBoxes():
		err = fmt.Errorf("gen.weak = %q: this SAM 3 export takes text only; use one whose decoder has input_boxes", env.Weak)
	case !o.Instances && !model.HasSemantic():
		err = fmt.Errorf("gen.options.instances = false: this SAM 3 export has no semantic head, so nothing is left to make maps of")
	}
	if err != nil {
		_ = files.Close() // memory only
		return nil, err
	}
	return &method{opts: o, model: model, hashes: files.Hashes(), classes: env.Classes, weak: env.Weak}, nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *method) Weights() map[string]string { return m.hashes }

// Warnings are what a reader of the labels should know.
func (m *method) Warnings() []string {
	if m.opts.Presence && !m.model.HasPresence() {
		return []string{"this SAM 3 export gives no presence score: what is not in a photo is told by its instances' scores alone"}
	}
	return nil
}

// Rule is the background's score.
func (m *method) Rule() source.ScoreOptions {
	return source.ScoreOptions{Background: "constant", Threshold: &m.opts.Threshold}
}

// Generate returns one mask per class that wins somewhere.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	return source.Masks(ctx, m, s, "sam3")
}

// Scores are the maps of the classes that are asked for, 0..1, at the size of the
// photo.
func (m *method) Scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("sam3 needs the image, and it has no pixels")
	}
	size := s.Image.Rect.Size()
	out := &source.Scores{W: size.X, H: size.Y}
	classes, err := m.asked(s)
	if err != nil || len(classes) == 0 {
		return out, err
	}
	e, err := m.model.Embed(ctx, imageproc.FromImage(s.Image))
	if err != nil {
		return nil, err
	}
	defer e.Free()
	for _, class := range classes {
		var best []float32
		for _, c := range m.concepts(class, s.Weak.Boxes) {
			found, err := m.model.Find(ctx, e, c)
			if err != nil {
				return nil, fmt.Errorf("class %s: %w", m.classes.Name(class), err)
			}
			now := found.Map(size.X, size.Y, m.opts.heads())
			if best == nil {
				best = now
			}
			for i, v := range now {
				best[i] = max(best[i], v)
			}
		}
		out.Classes, out.Maps = append(out.Classes, class), append(out.Maps, best)
	}
	return out, nil
}

// asked are the classes to look for, ascending: the tags, those of the boxes, or all.
func (m *method) asked(s *data.Sample) ([]int, error) {
	switch m.weak {
	case data.WeakTags:
		return source.Tags(s, m.classes.Len()-1)
	case data.WeakBoxes:
		if s.Weak.Boxes == nil {
			return nil, gen.Unlabelled(data.WeakBoxes)
		}
		var list []int
		for _, b := range gen.Objects(s.Weak.Boxes) {
			list = append(list, b.Class)
		}
		slices.Sort(list)
		return slices.Compact(list), nil
	}
	list := make([]int, m.classes.Len()-1)
	for i := range list {
		list[i] = i + 1
	}
	return list, nil
}

// concepts are what stands for a class: its phrases, and from boxes those of its
// objects.
func (m *method) concepts(class int, boxes []data.Box) []sam3.Concept {
	var shown []sam3.Exemplar
	if m.weak == data.WeakBoxes {
		for _, b := range gen.Objects(boxes) {
			if b.Class == class {
				shown = append(shown, sam3.Exemplar{Box: b})
			} else if m.opts.Negatives {
				shown = append(shown, sam3.Exemplar{Box: b, Negative: true})
			}
		}
		if !m.opts.Named {
			return []sam3.Concept{{Boxes: shown}}
		}
	}
	var list []sam3.Concept
	for _, phrase := range m.opts.Words.Of(m.classes.Name(class)) {
		list = append(list, sam3.Concept{Text: phrase, Boxes: shown})
	}
	return list
}
