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
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/sam"
)

func init() {
	gen.RegisterOf("sam-auto", gen.Spec{
		Doc:          "Segment Anything's masks of everything: without classes (for sepl), or named by CLIP or BLIP-2 among the tags",
		Weak:         []data.WeakKind{data.WeakTags, data.WeakNone},
		NeedsBackend: true,
	}, gen.Of[autoOptions]{
		Decode: func(table map[string]any) (autoOptions, error) {
			return gen.Decode(table, defaultAuto(), autoOptions.check)
		},
		New: newAuto,
		Needs: func(o autoOptions) gen.Needs {
			n := o.samOptions.needs()
			n.Add(o.NamerOptions.Needs())
			return n
		},
		Classes: func(o autoOptions, classes data.Classes) error { return o.Negative.Check(classes) },
	})
}

// autoOptions are the keys of method sam-auto.
type autoOptions struct {
	samOptions
	Auto sam.AutoOptions `toml:"auto"` // the generator's parameters
	naming.NamerOptions
}

func defaultAuto() autoOptions {
	return autoOptions{samOptions: defaultSAM(), Auto: sam.DefaultAutoOptions(), NamerOptions: naming.DefaultNamer()}
}

// auto makes masks of everything and names them. It is safe for concurrent
// use.
type auto struct {
	engine  *engine
	opts    autoOptions
	namer   *naming.Namer // nil: masks have no class
	classes data.Classes
	weak    data.WeakKind
}

func (o autoOptions) check() error {
	if err := o.Auto.Check(); err != nil {
		return fmt.Errorf("gen.options.auto.%w", err)
	}
	if o.Namer == "" && len(o.Negative) > 0 {
		return fmt.Errorf("gen.options.negative: allowed with a namer, which gives masks their classes")
	}
	if err := o.samOptions.check(); err != nil {
		return err
	}
	return o.NamerOptions.Check()
}

func newAuto(env gen.Env, o autoOptions) (gen.Method, error) {
	a := &auto{classes: env.Classes, weak: env.Weak, opts: o}
	err := o.Negative.Check(env.Classes)
	if err != nil {
		return nil, err
	}
	if a.engine, err = a.opts.open(env.Backend); err != nil {
		return nil, err
	}
	if a.namer, err = a.opts.NamerOptions.Open(env.Backend, a.opts.place()); err != nil {
		return nil, err
	}
	if a.namer != nil {
		maps.Copy(a.engine.hashes, a.namer.Hashes)
	}
	return a, nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (a *auto) Weights() map[string]string { return a.engine.hashes }

// Generate makes the masks, in the generator's order. Without a namer they
// have class 0, which leaves the label empty, and lie in the sidecar. With
// one, each gets the class whose words fit it best; those that fit a
// background word better are left out (docs/sources.md §5.2).
func (a *auto) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("sam-auto needs the image, and it has no pixels")
	}
	candidates, err := a.candidates(s)
	if err != nil || a.namer != nil && len(candidates) == 0 {
		return nil, err
	}
	img := imageproc.FromImage(s.Image)
	found, err := a.engine.model.Auto(ctx, img, a.opts.Auto)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f sam.AutoMask) bool { return f.Bits.Area() == 0 })
	var names []naming.Name
	if a.namer != nil {
		bits := make([]data.RLE, len(found))
		for i, f := range found {
			bits[i] = f.Bits
		}
		if names, err = a.namer.Names(ctx, img, bits, candidates); err != nil {
			return nil, err
		}
	}
	var masks []gen.Mask
	for i, f := range found {
		m := gen.Mask{
			Bits: f.Bits, Score: min(max(f.IoU, 0), 1), Stability: f.Stability,
			From: gen.Prompt{Points: []data.Point{{X: int(f.Point[0]), Y: int(f.Point[1])}}, Source: "grid", Score: 1},
		}
		if a.namer != nil {
			name := names[i]
			if name.Class == 0 || float64(name.Share) < a.opts.MinProb {
				continue
			}
			m.Class, m.From.Class, m.From.Score = name.Class, name.Class, name.Share
			m.From.Points[0].Class = name.Class
			m.From.Phrase = a.classes.Name(name.Class)
			m.Score *= name.Share
		}
		masks = append(masks, m)
	}
	return masks, nil
}

// candidates are the texts for the image's tags, or for all classes, and for
// the background.
func (a *auto) candidates(s *data.Sample) ([]blip2.Candidate, error) {
	if a.namer == nil {
		return nil, nil
	}
	var classes []int
	if a.weak == data.WeakTags {
		if s.Weak.Tags == nil {
			return nil, gen.Unlabelled(data.WeakTags)
		}
		classes = slices.Clone(s.Weak.Tags)
	} else {
		for c := 1; c < a.classes.Len(); c++ {
			classes = append(classes, c)
		}
	}
	if len(classes) == 0 {
		return nil, nil
	}
	var list []blip2.Candidate
	for _, c := range classes {
		for _, w := range a.opts.Words.Of(a.classes.Name(c)) {
			list = append(list, blip2.Candidate{Class: c, Text: w})
		}
		for _, w := range a.opts.Negative[a.classes.Name(c)] {
			list = append(list, blip2.Candidate{Text: w})
		}
	}
	for _, w := range a.namer.Background {
		list = append(list, blip2.Candidate{Text: w})
	}
	return list, nil
}
