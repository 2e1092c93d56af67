package naming

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/gen"
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/load"
)

// NamerOptions are the keys of [gen.options] that say how masks get their
// classes.
type NamerOptions struct {
	Namer      string         `toml:"namer"`         // of Namers; "" = none
	Own        map[string]any `toml:"namer_options"` // of a namer that has options of its own
	CLIP       string         `toml:"clip"`          // a model of `wsss models list`
	BLIP2      string         `toml:"blip2"`         // likewise
	Templates  []string       `toml:"templates"`     // CLIP's prompts, with {}
	Words      Words          `toml:"words"`         // class name → words, where they differ
	Background []string       `toml:"background"`    // words for what is no class; default by namer
	Negative   Negatives      `toml:"negative"`      // class name → words for look-alikes: a mask that fits one best is left out
	MinProb    float64        `toml:"min_prob"`      // of the class among all words; masks below are left out
	blip2.CropOptions
}

// DefaultNamer has the defaults, and no namer.
func DefaultNamer() NamerOptions {
	return NamerOptions{CLIP: "clip-vit-b-16", BLIP2: "blip2-itm", CropOptions: blip2.CropOptions{Margin: 0.1}}
}

// NamerKind is a kind of model that gives masks classes.
type NamerKind struct {
	// Model is its name in `wsss models list`; nil for a namer without weights
	// of that list.
	Model      func(o NamerOptions) string
	Background []string // words for what is no class, unless configured
	// Check refuses Own; nil for a namer without options of its own.
	Check func(section string, own map[string]any) error
	Open  func(o NamerOptions, b compute.Backend, at Place) (blip2.Scorer, load.Closer, error)
}

var namers = map[string]NamerKind{}

// RegisterNamer adds a kind by the name that gen.options.namer gives it; it
// panics on a duplicate name. Call it from init in the namer's own file.
func RegisterNamer(name string, k NamerKind) {
	if _, twice := namers[name]; twice {
		panic("naming: namer registered twice: " + name)
	}
	namers[name] = k
}

// Namers lists the registered names, sorted.
func Namers() []string { return sortedKeys(namers) }

func init() {
	RegisterNamer("clip", NamerKind{
		Model: func(o NamerOptions) string { return o.CLIP }, Background: clip.Background,
		Open: func(o NamerOptions, b compute.Backend, at Place) (blip2.Scorer, load.Closer, error) {
			m, opened, err := at.openCLIP(b, o.CLIP)
			if err != nil {
				return nil, nil, err
			}
			return m.NewScorer(o.Templates), opened, nil
		}})
	RegisterNamer("blip2", NamerKind{
		Model: func(o NamerOptions) string { return o.BLIP2 }, Background: []string{"background"},
		Open: func(o NamerOptions, b compute.Backend, at Place) (blip2.Scorer, load.Closer, error) {
			return load.Model[*blip2.Model](b, "blip2", load.Choice{Model: o.BLIP2, Dir: at.Dir}, load.Options{MaxShapes: at.MaxShapes})
		}})
}

// Check refuses options out of range, and a namer that there is not.
func (o NamerOptions) Check() error {
	if !(o.MinProb >= 0 && o.MinProb <= 1) {
		return fmt.Errorf("gen.options.min_prob = %v: allowed is 0..1", o.MinProb)
	}
	if o.Namer == "" {
		return nil
	}
	kind, ok := namers[o.Namer]
	switch {
	case !ok:
		return fmt.Errorf("gen.options.namer = %q: allowed are %s, or \"\" for masks without classes", o.Namer, strings.Join(Namers(), ", "))
	case kind.Check != nil:
		return kind.Check("gen.options.namer_options", o.Own)
	case len(o.Own) > 0:
		return fmt.Errorf("gen.options.namer_options: the namer %s has no options of its own", o.Namer)
	}
	return nil
}

// Needs are the weights that the namer reads.
func (o NamerOptions) Needs() gen.Needs {
	if kind, ok := namers[o.Namer]; ok && kind.Model != nil {
		return gen.Needs{Models: []string{kind.Model(o)}}
	}
	return gen.Needs{}
}

// Namer gives masks classes. It is safe for concurrent use.
type Namer struct {
	Background []string          // words for what is no class
	Hashes     map[string]string // of the files, by their names
	scorer     blip2.Scorer
	crop       blip2.CropOptions
}

// Open loads what the options name, nil for none.
func (o NamerOptions) Open(b compute.Backend, at Place) (*Namer, error) {
	if err := o.Check(); err != nil || o.Namer == "" {
		return nil, err
	}
	kind := namers[o.Namer]
	scorer, files, err := kind.Open(o, b, at)
	if err != nil {
		return nil, err
	}
	n := &Namer{scorer: scorer, Background: o.Background, crop: o.CropOptions, Hashes: files.Hashes()}
	if n.Background == nil {
		n.Background = kind.Background
	}
	return n, nil
}

// Name is what a namer gives a mask.
type Name struct {
	Class int     // 0 for the background
	Share float32 // of the class among all candidates
}

// cropBytes bounds the parts of an image that are looked at together, at three bytes
// a pixel.
const cropBytes = 256 << 20

// Names are the classes that fit each of an image's masks best. Where the namer's
// images share runs, several masks are asked for at a time.
func (n *Namer) Names(ctx context.Context, img *imageproc.RGB, masks []data.RLE, list []blip2.Candidate) ([]Name, error) {
	defer stages.Start(ctx, stages.Tag)()
	inner := stages.With(ctx, new(stages.Clock)) // what runs at the same time counts once
	workers := 1
	if s, ok := n.scorer.(interface{ AtOnce() int }); ok {
		workers = min(s.AtOnce(), max(cropBytes/max(3*img.W*img.H, 1), 1))
	}
	names := make([]Name, len(masks))
	err := data.ParallelWorkers(ctx, len(masks), workers, nil, func(_, i int) (err error) {
		names[i].Class, names[i].Share, err = blip2.Classify(inner, n.scorer, img, masks[i], list, n.crop)
		return err
	})
	return names, err
}
