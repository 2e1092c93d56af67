package promptsam

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/load"
	"wsss/models/manifest"
)

// nameOptions say how masks get their classes.
type nameOptions struct {
	Namer      string              `toml:"namer"`      // "", clip or blip2
	CLIP       string              `toml:"clip"`       // a model of `wsss models list`
	BLIP2      string              `toml:"blip2"`      // likewise
	Templates  []string            `toml:"templates"`  // CLIP's prompts, with {}
	Words      map[string][]string `toml:"words"`      // class name → words, where they differ
	Background []string            `toml:"background"` // words for what is no class; default by namer
	Negative   negatives           `toml:"negative"`   // class name → words for look-alikes: a mask that fits one best is left out
	MinProb    float64             `toml:"min_prob"`   // of the class among all words; masks below are left out
	blip2.CropOptions
}

func defaultNames() nameOptions {
	return nameOptions{CLIP: "clip-vit-b-16", BLIP2: "blip2-itm", CropOptions: blip2.CropOptions{Margin: 0.1}}
}

// namer gives masks classes.
type namer struct {
	scorer     blip2.Scorer
	background []string
	crop       blip2.CropOptions
	hashes     map[string]string
}

// namerKind is a model that gives masks classes.
type namerKind struct {
	model      func(o nameOptions) string // its name in `wsss models list`
	background []string                   // words for what is no class, unless configured
	open       func(o nameOptions, b compute.Backend, s samOptions) (blip2.Scorer, load.Closer, error)
}

var namers = map[string]namerKind{}

// registerNamer adds a model by the name that gen.options.namer gives it; it
// panics on a duplicate name. Call it from init in the namer's own file.
func registerNamer(name string, k namerKind) {
	if _, twice := namers[name]; twice {
		panic("promptsam: namer registered twice: " + name)
	}
	namers[name] = k
}

func init() {
	registerNamer("clip", namerKind{func(o nameOptions) string { return o.CLIP }, clip.Background,
		func(o nameOptions, b compute.Backend, s samOptions) (blip2.Scorer, load.Closer, error) {
			m, opened, err := s.openCLIP(b, o.CLIP)
			if err != nil {
				return nil, nil, err
			}
			return m.NewScorer(o.Templates), opened, nil
		}})
	registerNamer("blip2", namerKind{func(o nameOptions) string { return o.BLIP2 }, []string{"background"},
		func(o nameOptions, b compute.Backend, s samOptions) (blip2.Scorer, load.Closer, error) {
			roles := []string{"model", "vocabulary"}
			if manifest.HasRole(o.BLIP2, "text") {
				roles = append(roles, "text")
			}
			paths, err := resolveAll(s.ModelDir, o.BLIP2, "blip2", roles...)
			if err != nil {
				return nil, nil, err
			}
			return load.BLIP2(b, paths[0], append(paths, "")[2], paths[1], load.Options{MaxShapes: s.MaxShapes})
		}})
}

// check refuses options out of range, and a namer that there is not.
func (o nameOptions) check() error {
	if !(o.MinProb >= 0 && o.MinProb <= 1) {
		return fmt.Errorf("gen.options.min_prob = %v: allowed is 0..1", o.MinProb)
	}
	if _, ok := namers[o.Namer]; !ok && o.Namer != "" {
		return fmt.Errorf("gen.options.namer = %q: allowed are %s, or \"\" for masks without classes", o.Namer, strings.Join(slices.Sorted(maps.Keys(namers)), ", "))
	}
	return nil
}

// openNamer loads what the options name, nothing for "".
func (o nameOptions) openNamer(b compute.Backend, s samOptions) (*namer, error) {
	if err := o.check(); err != nil || o.Namer == "" {
		return nil, err
	}
	kind := namers[o.Namer]
	scorer, files, err := kind.open(o, b, s)
	if err != nil {
		return nil, err
	}
	n := &namer{scorer: scorer, background: o.Background, crop: o.CropOptions, hashes: files.Hashes()}
	if n.background == nil {
		n.background = kind.background
	}
	return n, nil
}

// openCLIP opens CLIP under a name of `wsss models list`.
func (s samOptions) openCLIP(b compute.Backend, name string) (*clip.Model, load.Closer, error) {
	paths, err := resolveAll(s.ModelDir, name, "clip", "vision", "text", "merges")
	if err != nil {
		return nil, nil, err
	}
	return load.CLIP(b, paths[0], paths[1], paths[2], load.Options{MaxShapes: s.MaxShapes})
}

func resolveAll(dir, model, family string, roles ...string) ([]string, error) {
	paths := make([]string, len(roles))
	for i, role := range roles {
		var err error
		if paths[i], err = manifest.Resolve(dir, "", model, family, role); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// name returns the class that fits a mask best, with its share among all
// candidates.
func (n *namer) name(ctx context.Context, img *imageproc.RGB, mask data.RLE, list []blip2.Candidate) (int, float32, error) {
	return blip2.Classify(ctx, n.scorer, img, mask, list, n.crop)
}
