package promptsam

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"

	"wsss/models/foundation/gdino"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam"
	"wsss/models/manifest"
)

// samOptions are the keys of [gen.options] that both methods have.
type samOptions struct {
	SAM       string `toml:"sam"`        // a model of `wsss models list` …
	Encoder   string `toml:"encoder"`    // … or these files
	Decoder   string `toml:"decoder"`    //
	ModelDir  string `toml:"model_dir"`  // folder of model files; "" = the usual one
	Mask      string `toml:"mask"`       // which mask: single, best, third, overlap; "" = single for boxes, third for points
	MaxShapes int    `toml:"max_shapes"` // compiled graphs kept per file
	Cache     string `toml:"cache"`      // folder for image embeddings; "" = none kept
	CacheMB   int64  `toml:"cache_mb"`   // its largest size
}

func defaultSAM() samOptions {
	return samOptions{SAM: "mobile-sam", MaxShapes: 16, CacheMB: 20_000}
}

// engine is a loaded SAM with its embedding cache.
type engine struct {
	model  *sam.Model
	cache  *sam.Cache
	choice sam.Choice // "" = by the kind of prompt
	// overlap: for boxes, the mask whose own box fits the prompt's best, so
	// the whole object rather than a part (paper 002, METHODS §7).
	overlap bool
	hashes  map[string]string
}

// open loads the files that the options name.
func (o samOptions) open(b compute.Backend) (*engine, error) {
	e := &engine{}
	var err error
	if e.overlap = o.Mask == "overlap"; o.Mask != "" && !e.overlap {
		if e.choice, err = sam.ParseChoice("gen.options.mask", o.Mask); err != nil {
			return nil, err
		}
	}
	encoder, err := resolve(o.ModelDir, o.Encoder, o.SAM, "sam", "encoder")
	if err != nil {
		return nil, err
	}
	decoder, err := resolve(o.ModelDir, o.Decoder, o.SAM, "sam", "decoder")
	if err != nil {
		return nil, err
	}
	model, files, err := load.SAM(b, encoder, decoder, load.Options{MaxShapes: o.MaxShapes})
	if err != nil {
		return nil, err
	}
	e.model, e.hashes = model, files.Hashes()
	if o.Cache != "" {
		if e.cache, err = sam.OpenCache(o.Cache, files[0].Hash(), o.CacheMB<<20); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// resolve is the file that the config names, else the one of a model of the
// manifest.
func resolve(dir, file, model, family, role string) (string, error) {
	if file != "" {
		return file, nil
	}
	m, err := manifest.Find(model)
	if err != nil {
		return "", fmt.Errorf("gen.options: %w", err)
	}
	if m.Family != family {
		return "", fmt.Errorf("gen.options: model %s is of family %s, wanted is %s", model, m.Family, family)
	}
	store, err := manifest.Open(dir)
	if err != nil {
		return "", err
	}
	return store.File(context.Background(), model, role)
}

// pointOptions are the further keys of method sam.
type pointOptions struct {
	samOptions
	Iterative bool `toml:"iterative"`  // one more point per pass, with the mask of the pass before
	Negatives bool `toml:"negatives"`  // points of other classes count as background
	PerPoint  bool `toml:"per_point"`  // a prompt per point instead of one per class
	MaxPoints int  `toml:"max_points"` // per prompt, spread evenly; 0 = all
	Step      int  `toml:"step"`       // pixels between the points taken from a scribble
}

func defaultPoints() pointOptions {
	return pointOptions{samOptions: defaultSAM(), Negatives: true, MaxPoints: 16, Step: 12}
}

func (o pointOptions) check() error {
	switch {
	case o.MaxPoints < 0:
		return fmt.Errorf("gen.options.max_points = %d: allowed are 0 or more", o.MaxPoints)
	case o.Step < 1:
		return fmt.Errorf("gen.options.step = %d: allowed are 1 or more pixels", o.Step)
	}
	return nil
}

// groundedOptions are the further keys of method grounded-sam.
type groundedOptions struct {
	samOptions
	GDINO      string            `toml:"gdino"`      // a model of `wsss models list` …
	Detector   string            `toml:"detector"`   // … or these files
	Vocabulary string            `toml:"vocabulary"` //
	Detect     gdino.Options     `toml:"detect"`     // thresholds and rules
	Phrases    map[string]string `toml:"phrases"`    // class name → words, where they differ
	insideOptions
	tagOptions
}

func defaultGrounded() groundedOptions {
	return groundedOptions{samOptions: defaultSAM(), GDINO: "gdino-tiny", Detect: gdino.DefaultOptions(), insideOptions: defaultInside(), tagOptions: tagOptions{Mapping: "exact", TopN: 3}}
}
