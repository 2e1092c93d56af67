package promptsam

import (
	"context"
	"fmt"
	"slices"

	"wsss/data/openimages"
	"wsss/gen"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/load"
	"wsss/models/foundation/ram"
	"wsss/models/manifest"
)

// tagOptions choose a tagger for images without tags: RAM as in the survey, or
// CLIP as in box2024 (docs/sources.md §2.3, §7). Without one the detector looks for
// every class.
type tagOptions struct {
	RAM        string `toml:"ram"`            // a model of `wsss models list` …
	Tagger     string `toml:"tagger"`         // … or these files
	TagList    string `toml:"tag_list"`       //
	Thresholds string `toml:"tag_thresholds"` //
	// Mapping leads from RAM's tags to classes: exact, by tables of tags that
	// mean a class, or survey, by words within tags, with the survey's false
	// matches (docs/sources.md §2.3).
	Mapping string `toml:"tag_mapping"`

	// Classifier is the classifier.onnx of wsss finetune-clip; with CLIP too,
	// both together, if it was trained with finetune_clip.thresholds.ensemble.
	Classifier string              `toml:"classifier"`
	CLIP       string              `toml:"clip"`       // a model of `wsss models list`
	TopN       int                 `toml:"top_n"`      // the best classes are tags; 0 = those above min_prob, or the classifier's thresholds
	MinProb    float64             `toml:"min_prob"`   // of a class against the background words
	Templates  []string            `toml:"templates"`  // CLIP's prompts, with {}
	Words      map[string][]string `toml:"words"`      // class name → words, where they differ
	Background []string            `toml:"background"` // words for what is no class
	Negative   negatives           `toml:"negative"`   // class name → words for look-alikes, which are not the class
}

// tagger names the classes that an image shows, ascending.
type tagger interface {
	classes(ctx context.Context, img *imageproc.RGB) ([]int, error)
}

// openTagger loads the tagger that the options name, nil for none, and the
// hashes of its files.
func (o tagOptions) openTagger(env gen.Env, s samOptions) (tagger, map[string]string, error) {
	switch wantsRAM := o.RAM != "" || o.Tagger != ""; {
	case wantsRAM && (o.CLIP != "" || o.Classifier != ""):
		return nil, nil, fmt.Errorf("gen.options: ram and clip (or classifier) are both set: allowed is one tagger")
	case o.Classifier != "":
		return o.openClassifier(env, s)
	case wantsRAM:
		return o.openRAM(env, s)
	case o.CLIP != "":
		return o.openZeroShot(env, s)
	}
	return nil, nil, nil
}

// ramTagger reads classes from RAM's tags.
type ramTagger struct {
	model    *ram.Model
	mapping  ram.Mapping
	negative map[int][]string // by class
}

func (o tagOptions) openRAM(env gen.Env, s samOptions) (tagger, map[string]string, error) {
	t := &ramTagger{negative: map[int][]string{}}
	for name, words := range o.Negative {
		t.negative[env.Classes.Index(name)] = words
	}
	switch o.Mapping {
	case "exact":
		t.mapping = ram.Aliases(env.Classes.Names)
	case "survey":
		var known bool
		if t.mapping, known = ram.Survey(env.Classes.Names); !known {
			return nil, nil, fmt.Errorf("gen.options.tag_mapping = \"survey\": it knows the classes of VOC and COCO only; use exact")
		}
	default:
		return nil, nil, fmt.Errorf("gen.options.tag_mapping = %q: allowed are exact, survey", o.Mapping)
	}
	paths := map[string]string{"model": o.Tagger, "tags": o.TagList, "thresholds": o.Thresholds}
	for role, file := range paths {
		path, err := manifest.Resolve(s.ModelDir, file, o.RAM, "ram", role)
		if err != nil {
			return nil, nil, err
		}
		paths[role] = path
	}
	model, files, err := load.RAM(env.Backend, paths["model"], paths["tags"], paths["thresholds"], load.Options{MaxShapes: s.MaxShapes})
	if err != nil {
		return nil, nil, err
	}
	t.model = model
	return t, files.Hashes(), nil
}

func (t *ramTagger) classes(ctx context.Context, img *imageproc.RGB) ([]int, error) {
	tags, err := t.model.Tags(ctx, img)
	if err != nil {
		return nil, err
	}
	return takeTags(t.mapping, tags, t.negative), nil
}

// clipTagger compares the whole image with the words of every class.
type clipTagger struct {
	model      *clip.Model
	opts       tagOptions
	features   [][]float32 // of class 1.. at index 0..
	background [][]float32
	negative   map[int][][]float32 // of look-alikes, by class
}

func (o tagOptions) openZeroShot(env gen.Env, s samOptions) (tagger, map[string]string, error) {
	if o.TopN < 0 || !(o.MinProb >= 0 && o.MinProb <= 1) {
		return nil, nil, fmt.Errorf("gen.options.top_n = %d, min_prob = %v: allowed are 0 or more, and 0..1", o.TopN, o.MinProb)
	}
	model, files, err := s.openCLIP(env.Backend, o.CLIP)
	if err != nil {
		return nil, nil, err
	}
	t := &clipTagger{model: model, opts: o}
	var classes, background []clip.Words
	for _, name := range env.Classes.Names[1:] {
		words := o.Words[name]
		if len(words) == 0 {
			words = []string{openimages.Word(name)}
		}
		classes = append(classes, words)
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

func (t *clipTagger) classes(ctx context.Context, img *imageproc.RGB) ([]int, error) {
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
