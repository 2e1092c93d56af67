package rules

import "wsss/models/onnximport/legalise"

func init() {
	register(map[string]legalise.Rule{
		"ConvInteger":   convInteger,
		"MatMulInteger": matmulInteger,
	})
}

// convInteger is a convolution of whole numbers, less their zero points.
func convInteger(b *builder, n *node) []*value {
	x, w := arg(n, 0), arg(n, 1)
	if x.Rank() < 3 || w.Rank() != x.Rank() {
		legalise.Failf("input %v, weights %v", x.Dims, w.Dims)
	}
	xf, wf := toFloat(b, x), toFloat(b, w)
	if zero := n.Arg(2); zero != nil {
		xf = sub(b, xf, b.Reshape(toFloat(b, zero)))
	}
	if zero := n.Arg(3); zero != nil {
		wf = sub(b, wf, rowsOf(b, toFloat(b, zero), wf, 0))
	}
	terms := prod(w.Dims[1:])
	joined := sides{0, 1}
	if n.Int("group", 1) != 1 { // whose outputs belong to their group's inputs
		joined = apart
	}
	return one(exactly(b, wf, terms, joined, func(w *value) *value { return b.Op("Conv", n.Attrs, xf, w) }))
}

func matmulInteger(b *builder, n *node) []*value {
	x, y := toFloat(b, arg(n, 0)), toFloat(b, arg(n, 1))
	if zero := n.Arg(2); zero != nil {
		x = sub(b, x, rowsOf(b, toFloat(b, zero), x, x.Rank()-2))
	}
	if zero := n.Arg(3); zero != nil {
		y = sub(b, y, rowsOf(b, toFloat(b, zero), y, y.Rank()-1))
	}
	joined := apart
	if x.Rank() > 1 && y.Rank() > 1 {
		joined = sides{y.Rank() - 1, max(x.Rank(), y.Rank()) - 1}
	}
	return one(exactly(b, y, x.Dims[x.Rank()-1], joined, func(y *value) *value { return b.Op("MatMul", nil, x, y) }))
}

// most is the largest absolute value of a byte minus its zero point.
const most = 255

// exactly computes a product of integers in float32, each value the sum of terms
// products of numbers up to most, without rounding, as int32. float32 holds integers
// exactly up to 2²⁴: where a sum may be larger, the factor w is split into 16·high +
// low, and the two products are added as integers. A sum that is off by one could
// become another byte at the next rounding.
//
// Both are one product of twice the outputs where joined says along which axes they
// lie: the engine then lays out the other factor once, not twice.
func exactly(b *builder, w *value, terms int, joined sides, product func(w *value) *value) *value {
	if terms*most*most < exact {
		return b.Cast(product(w), legalise.Int32)
	}
	const base = 16
	high := b.Op("Round", nil, scale(b, w, 1.0/base))
	low := sub(b, w, scale(b, high, base))
	var coarse, fine *value
	if joined == apart {
		coarse, fine = product(high), product(low)
	} else {
		both, outputs := product(b.Concat(joined.factor, high, low)), w.Dims[joined.factor]
		coarse, fine = b.Slice(both, joined.result, 0, outputs), b.Slice(both, joined.result, outputs, 2*outputs)
	}
	sum := b.Cast(coarse, legalise.Int32)
	return add(b, mul(b, sum, like(b, sum, base)), b.Cast(fine, legalise.Int32))
}

// sides are the axes of a product's outputs, in its factor and in its result.
type sides struct{ factor, result int }

// apart is for products whose outputs cannot be joined.
var apart = sides{-1, -1}
