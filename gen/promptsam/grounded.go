package promptsam

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/load"
)

func init() {
	gen.RegisterOf("grounded-sam", gen.Spec{
		Doc:          "Grounding-DINO finds boxes for the tags (given, from RAM or CLIP, or all classes), Segment Anything cuts them out",
		Weak:         []data.WeakKind{data.WeakTags, data.WeakNone},
		NeedsBackend: true,
	}, gen.Of[groundedOptions]{
		Decode: func(table map[string]any) (groundedOptions, error) {
			return gen.Decode(table, defaultGrounded(), groundedOptions.check)
		},
		New:   newGrounded,
		Needs: groundedOptions.needs,
		Classes: func(o groundedOptions, classes data.Classes) error {
			if _, err := phrases(classes, o.Phrases, o.Thresholds); err != nil {
				return err
			}
			return o.Negative.Check(classes)
		},
		Headers: checkGrounded,
	})
}

// grounded leads from text to boxes to masks. It is safe for concurrent use.
type grounded struct {
	engine   *engine
	detector *gdino.Model
	inside   insideOptions
	tagger   naming.Tagger // nil: images have tags, or the detector looks for every class
	phrases  []gdino.Class // by class; [0] is unused
	negative []gdino.Class // words for look-alikes …
	of       map[int]int   // … and the class that each is not, by its index
	weak     data.WeakKind
}

func newGrounded(env gen.Env, opts groundedOptions) (_ gen.Method, err error) {
	g := &grounded{weak: env.Weak, inside: opts.insideOptions}
	if g.phrases, err = phrases(env.Classes, opts.Phrases, opts.Thresholds); err != nil {
		return nil, err
	}
	if err := opts.Negative.Check(env.Classes); err != nil {
		return nil, err
	}
	if g.negative, g.of, err = negativePhrases(opts.Negative, env.Classes, g.phrases); err != nil {
		return nil, err
	}
	c := load.Choice{Model: opts.GDINO, Dir: opts.ModelDir, Files: map[string]string{"model": opts.Detector, "vocabulary": opts.Vocabulary}}
	detector, files, err := load.Model[*gdino.Model](env.Backend, "gdino", c, load.Options{MaxShapes: opts.MaxShapes})
	if err != nil {
		return nil, err
	}
	g.detector = detector.With(opts.Detect)
	if g.engine, err = opts.open(env.Backend); err != nil {
		return nil, err
	}
	if !g.engine.model.TakesBoxes() {
		return nil, fmt.Errorf("gen.method = \"grounded-sam\": %s", pointsOnly)
	}
	maps.Copy(g.engine.hashes, files.Hashes())
	if g.weak == data.WeakNone {
		var hashes map[string]string
		if g.tagger, hashes, err = opts.TagOptions.Open(env, opts.place()); err != nil {
			return nil, err
		}
		maps.Copy(g.engine.hashes, hashes)
	}
	return g, nil
}

// surveyPhrases are the prompts of the survey that differ from VOC's names
// (docs/sources.md §2.2).
var surveyPhrases = map[string]string{"bird": "wild bird", "diningtable": "dining table", "tvmonitor": "monitor/tv"}

// phrases are the words for each class: the config's, else the survey's for
// VOC, else the name; with the class's own threshold. A class that the config
// names must exist.
func phrases(classes data.Classes, own map[string]string, limits map[string]float64) ([]gdino.Class, error) {
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if classes.Index(name) <= 0 {
			return nil, naming.NoClass("phrases", name, classes)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		limit := limits[name]
		if classes.Index(name) <= 0 {
			return nil, naming.NoClass("thresholds", name, classes)
		}
		if !(limit > 0 && limit <= 1) {
			return nil, fmt.Errorf("gen.options.thresholds.%s = %v: allowed is above 0, up to 1", name, limit)
		}
	}
	voc := classes.Index("diningtable") > 0
	list := make([]gdino.Class, classes.Len())
	for i, name := range classes.Names {
		list[i] = gdino.Class{Index: i, Phrase: name, Threshold: limits[name]}
		if p, ok := surveyPhrases[name]; ok && voc {
			list[i].Phrase = p
		}
		if p, ok := own[name]; ok {
			list[i].Phrase = p
		}
	}
	return list, nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (g *grounded) Weights() map[string]string { return g.engine.hashes }

// Generate makes one mask per box that the detector finds.
func (g *grounded) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("grounded-sam needs the image, and it has no pixels")
	}
	asked, err := g.ask(ctx, s)
	if err != nil || len(asked) == 0 {
		return nil, err
	}
	found, err := g.detector.Detect(ctx, imageproc.FromImage(s.Image), g.withNegative(asked))
	if err != nil {
		return nil, err
	}
	var prompts []gen.Prompt
	positive := 0
	for _, d := range takeBoxes(found, g.of) {
		source := sourceNegative
		if _, negative := g.of[d.Box.Class]; !negative {
			source = "detector"
			positive++
		}
		prompts = append(prompts, gen.Prompt{Class: d.Box.Class, Box: &d.Box, Source: source, Phrase: d.Phrase, Score: d.Score})
	}
	if positive == 0 {
		return nil, nil
	}
	var masks []gen.Mask
	if g.inside.Inside == insideAuto {
		masks, err = g.engine.inside(ctx, s, prompts, g.inside)
	} else {
		masks, err = g.engine.masks(ctx, s, prompts, false)
	}
	if err != nil || positive == len(prompts) {
		return masks, err
	}
	return takeMasks(masks, g.of), nil
}

// withNegative adds the words for look-alikes of the classes asked for.
func (g *grounded) withNegative(asked []gdino.Class) []gdino.Class {
	if len(g.negative) == 0 {
		return asked
	}
	wanted := map[int]bool{}
	for _, c := range asked {
		wanted[c.Index] = true
	}
	list := slices.Clone(asked)
	for _, n := range g.negative {
		if wanted[g.of[n.Index]] {
			list = append(list, n)
		}
	}
	return list
}

// ask lists the classes to look for: the image's tags, those that the tagger
// sees, or all.
func (g *grounded) ask(ctx context.Context, s *data.Sample) ([]gdino.Class, error) {
	classes := s.Weak.Tags
	switch {
	case g.weak == data.WeakTags && classes == nil:
		return nil, gen.Unlabelled(data.WeakTags)
	case g.weak == data.WeakTags:
	case g.tagger == nil:
		return g.phrases[1:], nil
	default:
		var err error
		if classes, err = g.tagger.Classes(ctx, imageproc.FromImage(s.Image)); err != nil {
			return nil, err
		}
	}
	var asked []gdino.Class
	for _, class := range classes {
		if class <= 0 || class >= len(g.phrases) {
			return nil, fmt.Errorf("tag %d: allowed are 1..%d", class, len(g.phrases)-1)
		}
		asked = append(asked, g.phrases[class])
	}
	return asked, nil
}
