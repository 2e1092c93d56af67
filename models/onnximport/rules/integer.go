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
	return one(exactly(b, wf, terms, func(w *value) *value { return b.Op("Conv", n.Attrs, xf, w) }))
}

func matmulInteger(b *builder, n *node) []*value {
	x, y := toFloat(b, arg(n, 0)), toFloat(b, arg(n, 1))
	if zero := n.Arg(2); zero != nil {
		x = sub(b, x, rowsOf(b, toFloat(b, zero), x, x.Rank()-2))
	}
	if zero := n.Arg(3); zero != nil {
		y = sub(b, y, rowsOf(b, toFloat(b, zero), y, y.Rank()-1))
	}
	return one(exactly(b, y, x.Dims[x.Rank()-1], func(y *value) *value { return b.Op("MatMul", nil, x, y) }))
}

// most is the largest absolute value of a byte minus its zero point.
const most = 255

// exactly computes a product of integers in float32, each value the sum of terms
// products of numbers up to most, without rounding, as int32. float32 holds integers
// exactly up to 2²⁴: where a sum may be larger, the factor w is split into 16·high +
// low, and the two products are added as integers. A sum that is off by one could
// become another byte at the next rounding.
func exactly(b *builder, w *value, terms int, product func(w *value) *value) *value {
	if terms*most*most < exact {
		return b.Cast(product(w), legalise.Int32)
	}
	const base = 16
	high := b.Op("Round", nil, scale(b, w, 1.0/base))
	low := sub(b, w, scale(b, high, base))
	sum := b.Cast(product(high), legalise.Int32)
	return add(b, mul(b, sum, like(b, sum, base)), b.Cast(product(low), legalise.Int32))
}
