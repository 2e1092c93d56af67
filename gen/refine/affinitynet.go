package refine

import (
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/affinity"
	"wsss/gen/source"
	"wsss/models/irn"
)

// affinitynet is random-walk with features of a network and psa's values: the
// background walks along (docs/sources.md §11.3).
func init() {
	registerNetwork(networkWalk{
		name: "affinitynet", file: "AffinityNet", stride: irn.AffinityStride,
		doc: "class scores spread along the affinities of AffinityNet's features (wsss train-irn with kind = \"affinitynet\", or psa's files)",
		options: func() networkOptions {
			alpha := affinity.PSAAlpha
			return networkOptions{Options: affinity.PSA(), From: source.Options{ScoreOptions: source.ScoreOptions{Background: "power", Alpha: &alpha}}}
		},
		open: openFeatures,
	})
}

func openFeatures(env gen.Env, o networkOptions) (func(img *imageproc.RGB) (func() (*raster, error), error), error) {
	n, store, err := irn.OpenAffinityNet(o.Network)
	if err != nil {
		return nil, err
	}
	network := irn.NewFeaturer(env.Backend, n, store)
	return func(img *imageproc.RGB) (func() (*raster, error), error) {
		f, err := network.Features(img)
		return func() (*raster, error) {
			g, err := affinity.FromFeatures(f.Values, f.Channels, f.W, f.H, o.Options)
			return &raster{w: f.W, h: f.H, graph: g}, err
		}, err
	}, nil
}
