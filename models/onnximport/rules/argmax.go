package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"ArgMax": argExtreme("ReduceMax"), "ArgMin": argExtreme("ReduceMin"), "TopK": topK, "CumSum": cumSum})
}

// argExtreme finds the first (or last) place that equals the extreme, by a
// minimum over positions: no engine has to sort for it.
func argExtreme(extreme string) legalise.Rule {
	return func(b *builder, n *node) []*value {
		x := arg(n, 0)
		if x.Rank() == 0 {
			return one(b.ConstInts(legalise.Int64, nil, 0))
		}
		axis := n.Axis("axis", 0, x.Rank())
		if !legalise.IsFloat(x.DType) && x.DType != legalise.Int64 {
			x = b.Cast(x, legalise.Int64)
		}
		best := b.Reduce(extreme, x, true, axis)
		dims := slices.Repeat([]int{1}, x.Rank())
		dims[axis] = x.Dims[axis]
		place := b.ConstInts(legalise.Int64, dims, iota0(x.Dims[axis])...)
		hit := b.Op("Equal", nil, x, best)
		keep := n.Int("keepdims", 1) != 0
		if n.Int("select_last_index", 0) != 0 {
			none := b.ConstInts(legalise.Int64, nil, -1)
			return one(b.Reduce("ReduceMax", b.Op("Where", nil, hit, place, none), keep, axis))
		}
		none := b.ConstInts(legalise.Int64, nil, x.Dims[axis])
		return one(b.Reduce("ReduceMin", b.Op("Where", nil, hit, place, none), keep, axis))
	}
}

// Bounds on the comparisons that are held at a time, and on how many times.
const (
	rankBlock     = 1 << 24
	maxRankBlocks = 4096
)

// topK without sorting ranks every element by counting those before it, then
// looks up which element has rank 0, 1, … k−1.
func topK(b *builder, n *node) []*value {
	x := arg(n, 0)
	if x.Rank() == 0 {
		legalise.Failf("a scalar operand")
	}
	axis := n.Axis("axis", -1, x.Rank())
	count := n.Int("k", 0)
	if v := n.Arg(1); v != nil {
		ks := b.KnownInts(v, "k")
		if len(ks) != 1 {
			legalise.Failf("k %v", ks)
		}
		count = ks[0]
	}
	d := x.Dims[axis]
	if count < 0 || count > d {
		legalise.Failf("k %d of %d", count, d)
	}
	if count > 0 && axis == x.Rank()-1 && n.Arg(1) != nil && !b.NoSort() {
		return nil
	}
	perm := iota0(x.Rank())
	perm[axis], perm[x.Rank()-1] = perm[x.Rank()-1], perm[axis]
	moved := b.Transpose(x, perm...)
	a := attrs{"largest": int64(n.Int("largest", 1))}
	if count == 0 || !b.NoSort() {
		out := b.Outputs("TopK", 2, a, moved, b.List(count))
		return []*value{b.Transpose(out[0], perm...), b.Transpose(out[1], perm...)}
	}
	rows := b.Reshape(moved, -1, d)
	index := rankedIndex(b, rows, count, n.Int("largest", 1) != 0)
	dims := append(slices.Clone(moved.Dims[:x.Rank()-1]), count)
	index = b.Reshape(index, dims...)
	values := b.Op("GatherElements", attrs{"axis": int64(x.Rank() - 1)}, moved, index)
	return []*value{b.Transpose(values, perm...), b.Transpose(index, perm...)}
}

// rankedIndex returns [R, k] int64: the places of the k first elements of
// each row of x [R, d], ties in order.
func rankedIndex(b *builder, x *value, k int, largest bool) *value {
	r, d := x.Dims[0], x.Dims[1]
	before, beforeOrTied := "Greater", "GreaterOrEqual"
	if !largest {
		before, beforeOrTied = "Less", "LessOrEqual"
	}
	block := max(1, rankBlock/max(1, r*d))
	if d/block > maxRankBlocks {
		legalise.Failf("the first %d of %d in %d rows", k, d, r)
	}
	count := func(first *value) *value { return b.Reduce("ReduceSum", b.Cast(first, legalise.Float), false, 2) }
	var ranks []*value
	var earlier *value // in a block, which of two elements comes first
	for from := 0; from < d; from += block {
		to := min(d, from+block)
		mine := b.Reshape(b.Slice(x, 1, from, to), r, to-from, 1)
		others := func(from, to int) *value { return b.Reshape(b.Slice(x, 1, from, to), r, 1, to-from) }
		// Of equal elements the earlier goes first, which only a block among
		// itself has to look up.
		same := others(from, to)
		if size := to - from; earlier == nil || earlier.Dims[1] != size {
			place := iota0(size)
			earlier = b.Op("Less", nil, b.ConstInts(legalise.Int64, []int{1, 1, size}, place...), b.ConstInts(legalise.Int64, []int{1, size, 1}, place...))
		}
		rank := count(b.Op("Or", nil, b.Op(before, nil, same, mine), b.Op("And", nil, b.Op("Equal", nil, same, mine), earlier)))
		if from > 0 {
			rank = add(b, rank, count(b.Op(beforeOrTied, nil, others(0, from), mine)))
		}
		if to < d {
			rank = add(b, rank, count(b.Op(before, nil, others(to, d), mine)))
		}
		ranks = append(ranks, rank)
	}
	rank := b.Reshape(b.Concat(1, ranks...), r, 1, d)
	want := b.Cast(b.ConstInts(legalise.Int64, []int{1, k, 1}, iota0(k)...), legalise.Float)
	place := b.Cast(b.ConstInts(legalise.Int64, []int{1, 1, d}, iota0(d)...), legalise.Float)
	hit := b.Op("Where", nil, b.Op("Equal", nil, rank, want), place, b.Scalar(legalise.Float, 0))
	return b.Cast(b.Reduce("ReduceSum", hit, false, 2), legalise.Int64)
}

// cumSum is a product with a triangular matrix.
func cumSum(b *builder, n *node) []*value {
	x := arg(n, 0)
	axes := b.KnownInts(arg(n, 1), "the axis")
	if len(axes) != 1 {
		legalise.Failf("axis %v", axes)
	}
	axis := legalise.Axis(axes[0], x.Rank())
	d := x.Dims[axis]
	exclusive, reverse := n.Int("exclusive", 0) != 0, n.Int("reverse", 0) != 0
	tri := table[float64](square(d, d))
	for i := range d { // tri[i, j] = 1 where element i is part of sum j
		for j := range d {
			if i == j && !exclusive || i < j && !reverse || i > j && reverse {
				tri[i*d+j] = 1
			}
		}
	}
	t := legalise.Float
	if x.DType != legalise.Float {
		t = legalise.Double // sums of integers stay exact up to 2⁵³
	}
	perm := iota0(x.Rank())
	perm[axis], perm[x.Rank()-1] = perm[x.Rank()-1], perm[axis]
	rows := b.Reshape(b.Transpose(b.Cast(x, t), perm...), -1, d)
	sums := b.Op("MatMul", nil, rows, b.ConstFloats(t, []int{d, d}, tri...))
	moved := make([]int, x.Rank())
	for i, p := range perm {
		moved[i] = x.Dims[p]
	}
	return one(b.Cast(b.Transpose(b.Reshape(sums, moved...), perm...), x.DType))
}
