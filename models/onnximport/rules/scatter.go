package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"ScatterND":       scatterND,
		"ScatterElements": scatterElements,
		"Scatter":         scatterElements, // the name before operator set 11
	})
}

// mapLimit bounds the lookup table of a scatter with known indices.
const mapLimit = 1 << 22

// scatterND with known indices is a gather from data and updates together;
// later updates of a place win, as in ONNX Runtime.
func scatterND(b *builder, n *node) []*value {
	x, idx, upd := arg(n, 0), arg(n, 1), arg(n, 2)
	if idx.Rank() < 1 || x.Rank() < 1 {
		legalise.Failf("indices %v into %v", idx.Dims, x.Dims)
	}
	if upd.Len() == 0 {
		return one(x)
	}
	k := idx.Dims[idx.Rank()-1]
	if k < 1 || k > x.Rank() || upd.Len() != idx.Len()/k*prod(x.Dims[k:]) {
		legalise.Failf("indices %v and updates %v into %v", idx.Dims, upd.Dims, x.Dims)
	}
	index := positive(b, idx, x.Dims[:k])
	reduction := n.Str("reduction", "none")
	outer, inner := prod(x.Dims[:k]), prod(x.Dims[k:])
	if index.Const == nil || reduction != "none" || outer > mapLimit {
		n.In = []*value{x, index, upd}
		n.Attrs = attrs{"reduction": reduction}
		return nil
	}
	table := iota0(outer)
	for row := range idx.Len() / k {
		at := 0
		for i := range k {
			at = at*x.Dims[i] + wrapped(index.Const.Ints[row*k+i:row*k+i+1], x.Dims[i])[0]
		}
		table[at] = outer + row
	}
	all := b.Concat(0, b.Reshape(x, outer, inner), b.Reshape(upd, -1, inner))
	return one(b.Reshape(b.Op("Gather", nil, all, b.List(table...)), x.Dims...))
}

// scatterElements spells out the index vector of every update.
func scatterElements(b *builder, n *node) []*value {
	x, idx, upd := arg(n, 0), arg(n, 1), arg(n, 2)
	axis := n.Axis("axis", 0, x.Rank())
	if idx.Rank() != x.Rank() || !slices.Equal(idx.Dims, upd.Dims) {
		legalise.Failf("indices %v and updates %v into %v", idx.Dims, upd.Dims, x.Dims)
	}
	if idx.Len() == 0 {
		return one(x)
	}
	at := positive(b, b.Op("Unsqueeze", nil, idx, b.List(-1)), x.Dims[axis:axis+1])
	all := withPlaces(b, at, iota0(x.Rank())) // every axis, then the scattered one
	if axis < x.Rank() {
		order := iota0(x.Rank())
		order[axis] = x.Rank()
		all = b.Op("Gather", attrs{"axis": int64(all.Rank() - 1)}, all, b.List(order...))
	}
	return one(b.Op("ScatterND", attrs{"reduction": n.Str("reduction", "none")}, x, all, upd))
}
