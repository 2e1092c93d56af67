package naming

import (
	"context"
	"fmt"
	"strings"

	"wsss/data/imageproc"
	"wsss/gen"
)

// TagOptions are the keys of [gen.options] that choose a tagger for images
// without tags: RAM as in the survey, or CLIP as in box2024 (docs/sources.md
// §2.3, §7), or one that is named.
type TagOptions struct {
	By  string         `toml:"tag_by"`      // of Taggers; "" = the one that the keys below belong to, if any
	Own map[string]any `toml:"tag_options"` // of a tagger that has options of its own

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
	Classifier string    `toml:"classifier"`
	CLIP       string    `toml:"clip"`       // a model of `wsss models list`
	TopN       int       `toml:"top_n"`      // the best classes are tags; 0 = those above min_prob, or the classifier's thresholds
	MinProb    float64   `toml:"min_prob"`   // of a class against the background words
	Templates  []string  `toml:"templates"`  // CLIP's prompts, with {}
	Words      Words     `toml:"words"`      // class name → words, where they differ
	Background []string  `toml:"background"` // words for what is no class
	Negative   Negatives `toml:"negative"`   // class name → words for look-alikes, which are not the class
}

// DefaultTags has the defaults, and no tagger.
func DefaultTags() TagOptions { return TagOptions{Mapping: "exact", TopN: 3} }

// Tagger names the classes that an image shows, ascending. It is safe for
// concurrent use.
type Tagger interface {
	Classes(ctx context.Context, img *imageproc.RGB) ([]int, error)
}

// TaggerKind is a kind of model that names the classes of an image.
type TaggerKind struct {
	Asked func(o TagOptions) bool      // keys that are its alone are set; nil for one that only tag_by chooses
	Check func(o TagOptions) error     // refuses its options; nil where all are allowed
	Needs func(o TagOptions) gen.Needs // the weights and files that it reads; nil for none
	// Open loads it, and tells the hashes of its files.
	Open func(o TagOptions, env gen.Env, at Place) (Tagger, map[string]string, error)
}

var taggers = map[string]TaggerKind{}

// RegisterTagger adds a kind by the name that gen.options.tag_by gives it; it
// panics on a duplicate name. Call it from init in the tagger's own file.
func RegisterTagger(name string, k TaggerKind) {
	if _, twice := taggers[name]; twice {
		panic("naming: tagger registered twice: " + name)
	}
	taggers[name] = k
}

// Taggers lists the registered names, sorted.
func Taggers() []string { return sortedKeys(taggers) }

// kind is the tagger that the options choose; false for none.
func (o TagOptions) kind() (kind TaggerKind, chosen bool, err error) {
	if o.By != "" {
		kind, ok := taggers[o.By]
		if !ok {
			err = fmt.Errorf("gen.options.tag_by = %q: allowed are %s, or \"\" for the one whose keys are set", o.By, strings.Join(Taggers(), ", "))
		}
		return kind, ok, err
	}
	for _, name := range Taggers() {
		k := taggers[name]
		if k.Asked == nil || !k.Asked(o) {
			continue
		}
		if chosen {
			return kind, true, fmt.Errorf("gen.options: ram and clip (or classifier) are both set: allowed is one tagger")
		}
		kind, chosen = k, true
	}
	return kind, chosen, nil
}

// Check refuses options that are out of range or name two taggers.
func (o TagOptions) Check() error {
	kind, chosen, err := o.kind()
	if err == nil && chosen && kind.Check != nil {
		err = kind.Check(o)
	}
	if err == nil && len(o.Own) > 0 && o.By == "" {
		err = fmt.Errorf("gen.options.tag_options: they are of the tagger that tag_by names: allowed are %s", strings.Join(Taggers(), ", "))
	}
	return err
}

// Needs are the weights and files that the tagger reads.
func (o TagOptions) Needs() gen.Needs {
	if kind, chosen, err := o.kind(); err == nil && chosen && kind.Needs != nil {
		return kind.Needs(o)
	}
	return gen.Needs{}
}

// Open loads the tagger that the options choose, nil for none, and the hashes
// of its files.
func (o TagOptions) Open(env gen.Env, at Place) (Tagger, map[string]string, error) {
	if err := o.Check(); err != nil {
		return nil, nil, err
	}
	kind, chosen, err := o.kind()
	if err != nil || !chosen {
		return nil, nil, err
	}
	return kind.Open(o, env, at)
}
