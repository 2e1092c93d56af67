package refine

import (
	"context"
	"errors"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/stages"
	"wsss/gen"
	"wsss/gen/affinity"
	"wsss/gen/source"
	"wsss/models/foundation/imageproc"
	"wsss/models/irn"
)

func init() {
	gen.RegisterOf("irn", gen.Spec{
		Doc:          "class scores spread up to the boundaries that IRN's network finds (wsss train-irn, or IRN's res50_irn.pth)",
		Weak:         data.Supervisions,
		NeedsBackend: true,
	}, gen.Of[irnOptions]{
		Decode: decodeIRN,
		New:    newIRN,
		Inner:  func(o irnOptions) []configs.Gen { return o.From.Inner() },
		Needs:  irnOptions.needs,
	})
}

// irnOptions are the keys of [gen.options].
type irnOptions struct {
	From    source.Options `toml:"from"`
	Network string         `toml:"network"` // file of a trained network: irn.safetensors of train-irn, or IRN's res50_irn.pth
	affinity.Options
}

// needs are the source's, and the network's file.
func (o irnOptions) needs() gen.Needs {
	n := o.From.Needs()
	n.Add(gen.Needs{Files: []string{o.Network}})
	return n
}

func decodeIRN(table map[string]any) (irnOptions, error) {
	o := irnOptions{Options: affinity.IRN()}
	if err := configs.Decode("gen.options", table, &o); err != nil {
		return o, err
	}
	if o.Network == "" {
		return o, errors.New("gen.options.network is missing: the file of a trained network; see wsss train-irn")
	}
	return o, nil
}

// newIRN is the walk of random-walk with boundaries of a network, for all the
// rest with IRN's values (docs/sources.md §11.2).
func newIRN(env gen.Env, o irnOptions) (gen.Method, error) {
	m, err := openWalk(env, walkOptions{From: o.From, Colour: 1, Stride: irn.Stride, Options: o.Options})
	if err != nil {
		return nil, err
	}
	n, err := irn.Open(o.Network)
	if err != nil {
		return nil, err
	}
	network := irn.NewMapper(env.Backend, n)
	m.name, m.found = "irn", func(ctx context.Context, s *data.Sample) (*raster, error) {
		stop := stages.Start(ctx, stages.Embed)
		e, err := network.Edges(imageproc.FromImage(s.Image))
		stop()
		if err != nil {
			return nil, err
		}
		r := &raster{w: e.W, h: e.H, edges: e.Strength}
		r.graph, err = affinity.FromEdges(r.edges, r.w, r.h, m.opts.Options)
		return r, err
	}
	sum, err := files.SHA256(o.Network)
	m.hashes = map[string]string{filepath.Base(o.Network): sum}
	return m, err
}
