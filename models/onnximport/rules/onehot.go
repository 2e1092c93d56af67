package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"OneHot": oneHot, "Trilu": trilu}) }

// oneHot compares indices with positions along a new axis. Indices outside
// −depth … depth−1 match nowhere.
func oneHot(b *builder, n *node) []*value {
	idx, values := b.Cast(arg(n, 0), legalise.Int64), arg(n, 2)
	depths := b.KnownFloats(arg(n, 1), "the depth")
	if len(depths) != 1 || values.Len() != 2 {
		legalise.Failf("depth %v, %d values", depths, values.Len())
	}
	depth := int(depths[0])
	rank := idx.Rank() + 1
	axis := n.Axis("axis", -1, rank)
	negative := b.Op("Less", nil, idx, b.Scalar(legalise.Int64, 0))
	idx = b.Op("Where", nil, negative, add(b, idx, b.ConstInts(legalise.Int64, nil, depth)), idx)
	idx = b.Op("Unsqueeze", nil, idx, b.List(axis))
	dims := slices.Repeat([]int{1}, rank)
	dims[axis] = depth
	hit := b.Op("Equal", nil, idx, b.ConstInts(legalise.Int64, dims, iota0(depth)...))
	pair := b.Reshape(values, 2)
	off, on := b.Reshape(b.Slice(pair, 0, 0, 1)), b.Reshape(b.Slice(pair, 0, 1, 2))
	return one(b.Op("Where", nil, hit, on, off))
}

// trilu masks with a constant triangle.
func trilu(b *builder, n *node) []*value {
	x := arg(n, 0)
	if x.Rank() < 2 {
		legalise.Failf("input of rank %d", x.Rank())
	}
	k := 0
	if v := n.Arg(1); v != nil {
		k = b.KnownInts(v, "k")[0]
	}
	upper := n.Int("upper", 1) != 0
	rows, cols := x.Dims[x.Rank()-2], x.Dims[x.Rank()-1]
	mask := table[int](square(rows, cols))
	for i := range rows {
		for j := range cols {
			if upper && j-i >= k || !upper && j-i <= k {
				mask[i*cols+j] = 1
			}
		}
	}
	return one(b.Op("Where", nil, b.ConstInts(legalise.Bool, []int{rows, cols}, mask...), x, like(b, x, 0)))
}
