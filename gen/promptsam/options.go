package promptsam

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"

	"wsss/gen/naming"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam"
)

// samOptions are the keys of [gen.options] that both methods have.
type samOptions struct {
	SAM      string `toml:"sam"`       // a model of `wsss models list` …
	Encoder  string `toml:"encoder"`   // … or these files
	Decoder  string `toml:"decoder"`   //
	ModelDir string `toml:"model_dir"` // folder of model files; "" = the usual one
	Mask     string `toml:"mask"`      // which mask: single, best, third, overlap; "" = single for boxes, third for points
	Merge    string `toml:"merge"`     // where classes overlap: fuse (by [gen.fuse]), max-logit (per pixel the most certain)
	Crop     bool   `toml:"crop"`      // masks of boxes end at the box
	// MinObject: prompts where SAM 2 sees an object with less probability get no mask.
	MinObject float64 `toml:"min_object"`
	MaxShapes int     `toml:"max_shapes"` // compiled graphs kept per file
	Cache     string  `toml:"cache"`      // folder for image embeddings; "" = none kept
	CacheMB   int64   `toml:"cache_mb"`   // its largest size
}

func defaultSAM() samOptions {
	return samOptions{SAM: "mobile-sam", Merge: mergeFuse, MaxShapes: 16, CacheMB: 20_000}
}

// place is where the models beside SAM lie.
func (o samOptions) place() naming.Place {
	return naming.Place{Dir: o.ModelDir, MaxShapes: o.MaxShapes}
}

// engine is a loaded SAM with its embedding cache.
type engine struct {
	model  *sam.Model
	cache  *sam.Cache
	choice sam.Choice // "" = by the kind of prompt
	// overlap: for boxes, the mask whose own box fits the prompt's best, so
	// the whole object rather than a part (box2024, docs/sources.md §7).
	overlap  bool
	maxLogit bool    // see ownership
	crop     bool    // nothing outside a prompt's box
	object   float64 // least probability of an object
	hashes   map[string]string
}

// check refuses values that there are not.
func (o samOptions) check() error {
	if o.Merge != mergeFuse && o.Merge != mergeMaxLogit {
		return fmt.Errorf("gen.options.merge = %q: allowed are %s, %s", o.Merge, mergeFuse, mergeMaxLogit)
	}
	if !(o.MinObject >= 0 && o.MinObject <= 1) {
		return fmt.Errorf("gen.options.min_object = %v: allowed is 0..1", o.MinObject)
	}
	if o.Mask == "" || o.Mask == "overlap" {
		return nil
	}
	_, err := sam.ParseChoice("gen.options.mask", o.Mask)
	return err
}

// open loads the files that the options name.
func (o samOptions) open(b compute.Backend) (*engine, error) {
	e := &engine{maxLogit: o.Merge == mergeMaxLogit, crop: o.Crop, object: o.MinObject}
	var err error
	if e.overlap = o.Mask == "overlap"; o.Mask != "" && !e.overlap {
		if e.choice, err = sam.ParseChoice("gen.options.mask", o.Mask); err != nil {
			return nil, err
		}
	}
	c := load.Choice{Model: o.SAM, Dir: o.ModelDir, Files: map[string]string{"encoder": o.Encoder, "decoder": o.Decoder}}
	model, files, err := load.Model[*sam.Model](b, "sam", c, load.Options{MaxShapes: o.MaxShapes})
	if err != nil {
		return nil, err
	}
	if o.MinObject > 0 && !model.TellsObjects() {
		return nil, errors.Join(fmt.Errorf("gen.options.min_object: this SAM export does not tell whether there is an object; use SAM 2.1, such as sam2.1-tiny-hf"), files.Close())
	}
	e.model, e.hashes = model, files.Hashes()
	if o.Cache != "" {
		if e.cache, err = sam.OpenCache(o.Cache, files[0].Hash(), o.CacheMB<<20); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// pointOptions are the further keys of method sam. Jiang & Yang 2023 gives neither the
// order of the points nor whether objects share a prompt (docs/sources.md §11.4).
type pointOptions struct {
	samOptions
	Iterative  bool    `toml:"iterative"`  // one more point per pass, with the mask of the pass before
	Negatives  bool    `toml:"negatives"`  // points of other classes count as background
	Background bool    `toml:"background"` // points on the background do too
	Group      string  `toml:"group"`      // points that share a prompt: those of a class, of an object (a click, a stroke), or each alone: point
	Order      string  `toml:"order"`      // of the points in a prompt: given (clicks by rank, strokes as drawn), random, far (each far from all before)
	Fraction   float64 `toml:"fraction"`   // random share of an object's points that is used, at least one
	MaxPoints  int     `toml:"max_points"` // per prompt, spread evenly; 0 = all
	Step       int     `toml:"step"`       // pixels between the points taken from a scribble; 1 = all its pixels
}

// Values of gen.options.group and gen.options.order.
const (
	groupClass  = "class"
	groupObject = "object"
	groupPoint  = "point"

	orderGiven  = "given"
	orderRandom = "random"
	orderFar    = "far"
)

func defaultPoints() pointOptions {
	return pointOptions{
		samOptions: defaultSAM(), Negatives: true, Background: true, Group: groupClass, Order: orderGiven,
		Fraction: 1, MaxPoints: 16, Step: 12,
	}
}

func (o pointOptions) check() error {
	switch {
	case o.Group != groupClass && o.Group != groupObject && o.Group != groupPoint:
		return fmt.Errorf("gen.options.group = %q: allowed are class, object, point", o.Group)
	case o.Order != orderGiven && o.Order != orderRandom && o.Order != orderFar:
		return fmt.Errorf("gen.options.order = %q: allowed are given, random, far", o.Order)
	case !(o.Fraction > 0 && o.Fraction <= 1):
		return fmt.Errorf("gen.options.fraction = %v: allowed is above 0, up to 1", o.Fraction)
	case o.MaxPoints < 0:
		return fmt.Errorf("gen.options.max_points = %d: allowed are 0 or more", o.MaxPoints)
	case o.Step < 1:
		return fmt.Errorf("gen.options.step = %d: allowed are 1 or more pixels", o.Step)
	}
	return o.samOptions.check()
}

// groundedOptions are the further keys of method grounded-sam.
type groundedOptions struct {
	samOptions
	GDINO      string            `toml:"gdino"`      // a model of `wsss models list` …
	Detector   string            `toml:"detector"`   // … or these files
	Vocabulary string            `toml:"vocabulary"` //
	Detect     gdino.Options     `toml:"detect"`     // thresholds and rules
	Phrases    map[string]string `toml:"phrases"`    // class name → words, where they differ
	// Thresholds are box thresholds of single classes, by name.
	Thresholds map[string]float64 `toml:"thresholds"`
	insideOptions
	naming.TagOptions
}

func (o groundedOptions) check() error {
	if err := o.samOptions.check(); err != nil {
		return err
	}
	if err := o.insideOptions.check(o.Merge); err != nil {
		return err
	}
	if err := o.Detect.Check(); err != nil {
		return fmt.Errorf("gen.options.detect: %w", err)
	}
	return o.TagOptions.Check()
}

func defaultGrounded() groundedOptions {
	return groundedOptions{samOptions: defaultSAM(), GDINO: "gdino-tiny", Detect: gdino.DefaultOptions(), insideOptions: defaultInside(), TagOptions: naming.DefaultTags()}
}
