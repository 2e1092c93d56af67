package refine

import (
	"context"
	"errors"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/gen"
	"wsss/gen/affinity"
	"wsss/gen/source"
)

// networkOptions are the keys of [gen.options] of the methods whose scores walk on
// what a trained network finds.
type networkOptions struct {
	From    source.Options `toml:"from"`
	Network string         `toml:"network"` // file of a trained network: irn.safetensors of train-irn, IRN's res50_irn.pth, or psa's files
	affinity.Options
}

// networkWalk is such a method.
type networkWalk struct {
	name, doc string
	file      string                // what options.network is, for the error of one that lacks it
	stride    int                   // image pixels per pixel of what the network finds
	options   func() networkOptions // the defaults
	// open reads the network. What it returns looks at an image, and then makes of what
	// was found what scores walk on.
	open func(env gen.Env, o networkOptions) (func(img *imageproc.RGB) (walkOn func() (*raster, error), err error), error)
}

// registerNetwork adds the method.
func registerNetwork(w networkWalk) {
	gen.RegisterOf(w.name, gen.Spec{Doc: w.doc, Weak: data.Supervisions, NeedsBackend: true}, gen.Of[networkOptions]{
		Decode: func(table map[string]any) (networkOptions, error) {
			return gen.Decode(table, w.options(), func(o networkOptions) error {
				if o.Network == "" {
					return errors.New("gen.options.network is missing: the file of a trained " + w.file + "; see wsss train-irn")
				}
				return nil
			})
		},
		New:   w.new,
		Inner: func(o networkOptions) []configs.Gen { return o.From.Inner() },
		Needs: func(o networkOptions) gen.Needs {
			n := o.From.Needs()
			n.Add(gen.Needs{Files: []string{o.Network}})
			return n
		},
	})
}

// new is the walk of random-walk on what the network finds.
func (w networkWalk) new(env gen.Env, o networkOptions) (gen.Method, error) {
	m, err := openWalk(env, walkOptions{From: o.From, Colour: 1, Stride: w.stride, Options: o.Options})
	if err != nil {
		return nil, err
	}
	look, err := w.open(env, o)
	if err != nil {
		return nil, err
	}
	m.name, m.found = w.name, func(ctx context.Context, s *data.Sample) (*raster, error) {
		stop := stages.Start(ctx, stages.Embed)
		walkOn, err := look(imageproc.FromImage(s.Image))
		stop()
		if err != nil {
			return nil, err
		}
		return walkOn()
	}
	sum, err := files.SHA256(o.Network)
	m.hashes = map[string]string{filepath.Base(o.Network): sum}
	return m, err
}
