package refine

import (
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/affinity"
	"wsss/models/irn"
)

// irn is random-walk with boundaries of a network, for all the rest with IRN's
// values (docs/sources.md §11.2).
func init() {
	registerNetwork(networkWalk{
		name: "irn", file: "network", stride: irn.Stride,
		doc:     "class scores spread up to the boundaries that IRN's network finds (wsss train-irn, or IRN's res50_irn.pth)",
		options: func() networkOptions { return networkOptions{Options: affinity.IRN()} },
		open:    openBoundaries,
	})
}

func openBoundaries(env gen.Env, o networkOptions) (func(img *imageproc.RGB) (func() (*raster, error), error), error) {
	n, err := irn.Open(o.Network)
	if err != nil {
		return nil, err
	}
	network := irn.NewMapper(env.Backend, n)
	return func(img *imageproc.RGB) (func() (*raster, error), error) {
		e, err := network.Edges(img)
		return func() (*raster, error) {
			g, err := affinity.FromEdges(e.Strength, e.W, e.H, o.Options)
			return &raster{w: e.W, h: e.H, edges: e.Strength, graph: g}, err
		}, err
	}, nil
}
