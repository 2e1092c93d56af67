package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"Gather": gather, "GatherND": gatherND})
}

// gather turns known runs of indices into slices, which cost nothing and have
// cheap gradients.
func gather(b *builder, n *node) []*value {
	x, idx := arg(n, 0), arg(n, 1)
	if idx.Const == nil || idx.Len() == 0 {
		return nil
	}
	axis := n.Axis("axis", 0, x.Rank())
	at := wrapped(idx.Const.Ints, x.Dims[axis])
	for i, v := range at {
		if v != at[0]+i {
			if slices.ContainsFunc(idx.Const.Ints, func(v int64) bool { return v < 0 }) {
				n.In = []*value{x, b.ConstInts(legalise.Int64, idx.Dims, at...)}
			}
			return nil
		}
	}
	dims := append(slices.Clone(x.Dims[:axis]), idx.Dims...)
	dims = append(dims, x.Dims[axis+1:]...)
	return one(b.Reshape(b.Slice(x, axis, at[0], at[0]+len(at)), dims...))
}

// wrapped checks indices against d and counts negative ones from the end.
func wrapped(idx []int64, d int) []int {
	out := make([]int, len(idx))
	for i, v := range idx {
		if v < 0 {
			v += int64(d)
		}
		if v < 0 || v >= int64(d) {
			legalise.Failf("index %d of %d", idx[i], d)
		}
		out[i] = int(v)
	}
	return out
}

// positive adds the dimensions to negative index vectors [..., k].
func positive(b *builder, idx *value, dims []int) *value {
	idx = b.Cast(idx, legalise.Int64)
	if idx.Const != nil && !slices.ContainsFunc(idx.Const.Ints, func(v int64) bool { return v < 0 }) {
		return idx
	}
	negative := b.Op("Less", nil, idx, b.Scalar(legalise.Int64, 0))
	return b.Op("Where", nil, negative, add(b, idx, b.List(dims...)), idx)
}

// gatherND writes batch axes as indices of their own.
func gatherND(b *builder, n *node) []*value {
	x, idx := arg(n, 0), arg(n, 1)
	batch := n.Int("batch_dims", 0)
	if idx.Rank() < 1 || batch < 0 || batch >= idx.Rank() || batch+idx.Dims[idx.Rank()-1] > x.Rank() {
		legalise.Failf("indices %v into %v with %d batch axes", idx.Dims, x.Dims, batch)
	}
	k := idx.Dims[idx.Rank()-1]
	index := positive(b, idx, x.Dims[batch:batch+k])
	if batch == 0 {
		n.In, n.Attrs = []*value{x, index}, nil
		return nil
	}
	return one(b.Op("GatherND", nil, x, withPlaces(b, index, iota0(batch))))
}

// withPlaces puts the position along each of axes in front of the index
// vectors idx [..., k].
func withPlaces(b *builder, idx *value, axes []int) *value {
	dims := append(slices.Clone(idx.Dims[:idx.Rank()-1]), 1)
	var parts []*value
	for _, a := range axes {
		place := slices.Repeat([]int{1}, len(dims))
		place[a] = dims[a]
		iota := b.ConstInts(legalise.Int64, place, iota0(dims[a])...)
		parts = append(parts, b.Op("Expand", nil, iota, b.List(dims...)))
	}
	return b.Concat(len(dims)-1, append(parts, idx)...)
}
