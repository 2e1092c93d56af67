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
	gen.RegisterOf("affinitynet", gen.Spec{
		Doc:          "class scores spread along the affinities of AffinityNet's features (wsss train-irn with kind = \"affinitynet\", or psa's files)",
		Weak:         data.Supervisions,
		NeedsBackend: true,
	}, gen.Of[irnOptions]{
		Decode: decodeAffinityNet,
		New:    newAffinityNet,
		Inner:  func(o irnOptions) []configs.Gen { return o.From.Inner() },
		Needs:  irnOptions.needs,
	})
}

// decodeAffinityNet reads the keys of [gen.options]: those of irn, with psa's
// values. The background walks along.
func decodeAffinityNet(table map[string]any) (irnOptions, error) {
	alpha := affinity.PSAAlpha
	o := irnOptions{Options: affinity.PSA(), From: source.Options{ScoreOptions: source.ScoreOptions{Background: "power", Alpha: &alpha}}}
	if err := configs.Decode("gen.options", table, &o); err != nil {
		return o, err
	}
	if o.Network == "" {
		return o, errors.New("gen.options.network is missing: the file of a trained AffinityNet; see wsss train-irn")
	}
	return o, nil
}

// newAffinityNet is the walk of random-walk with features of a network
// (docs/sources.md §11.3).
func newAffinityNet(env gen.Env, o irnOptions) (gen.Method, error) {
	m, err := openWalk(env, walkOptions{From: o.From, Colour: 1, Stride: irn.AffinityStride, Options: o.Options})
	if err != nil {
		return nil, err
	}
	n, store, err := irn.OpenAffinityNet(o.Network)
	if err != nil {
		return nil, err
	}
	features := irn.NewFeaturer(env.Backend, n, store)
	m.name, m.found = "affinitynet", func(ctx context.Context, s *data.Sample) (*raster, error) {
		stop := stages.Start(ctx, stages.Embed)
		f, err := features.Features(imageproc.FromImage(s.Image))
		stop()
		if err != nil {
			return nil, err
		}
		r := &raster{w: f.W, h: f.H}
		r.graph, err = affinity.FromFeatures(f.Values, f.Channels, f.W, f.H, m.opts.Options)
		return r, err
	}
	sum, err := files.SHA256(o.Network)
	m.hashes = map[string]string{filepath.Base(o.Network): sum}
	return m, err
}
