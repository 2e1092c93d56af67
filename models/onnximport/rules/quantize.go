package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"QuantizeLinear":        quantize,
		"DequantizeLinear":      dequantize,
		"DynamicQuantizeLinear": dynamicQuantize,
	})
}

// Quantised graphs are computed in floating point: whole numbers up to 2²⁴
// are exact there.

// alongAxis shapes a scale or zero point so that it broadcasts along axis.
func alongAxis(b *builder, n *node, v *value, rank int) *value {
	if v.Len() == 1 {
		return b.Reshape(v)
	}
	if v.Rank() != 1 || n.Int("block_size", 0) != 0 {
		legalise.Failf("scales of shape %v", v.Dims)
	}
	dims := slices.Repeat([]int{1}, rank)
	dims[n.Axis("axis", 1, rank)] = v.Len()
	return b.Reshape(v, dims...)
}

func toFloat(b *builder, v *value) *value { return b.Cast(v, legalise.Float) }

func dequantize(b *builder, n *node) []*value {
	x, s := toFloat(b, arg(n, 0)), arg(n, 1)
	if zero := n.Arg(2); zero != nil {
		x = sub(b, x, alongAxis(b, n, toFloat(b, zero), x.Rank()))
	}
	return one(mul(b, x, alongAxis(b, n, s, x.Rank())))
}

// limits are the ends of the range of an 8-bit type.
func limits(d legalise.DType) (lo, hi float64) {
	switch d {
	case legalise.Uint8:
		return 0, 255
	case legalise.Int8:
		return -128, 127
	}
	legalise.Failf("quantisation to %v", d)
	return 0, 0
}

func quantize(b *builder, n *node) []*value {
	x := arg(n, 0)
	to := legalise.Uint8
	y := b.Op("Round", nil, div(b, x, alongAxis(b, n, arg(n, 1), x.Rank())))
	if zero := n.Arg(2); zero != nil {
		to = zero.DType
		y = add(b, y, alongAxis(b, n, toFloat(b, zero), x.Rank()))
	}
	lo, hi := limits(to)
	return one(b.Cast(clampTo(b, y, lo, hi), to))
}

// dynamicQuantize maps the range of x, 0 included, to 0 … 255.
func dynamicQuantize(b *builder, n *node) []*value {
	x := arg(n, 0)
	all := iota0(x.Rank())
	top := b.Op("Max", nil, b.Reduce("ReduceMax", x, false, all...), like(b, x, 0))
	low := b.Op("Min", nil, b.Reduce("ReduceMin", x, false, all...), like(b, x, 0))
	step := div(b, sub(b, top, low), like(b, x, 255))
	step = b.Op("Where", nil, b.Op("Equal", nil, step, like(b, x, 0)), like(b, x, 1), step) // nothing but zeros
	zero := clampTo(b, b.Op("Round", nil, div(b, b.Op("Neg", nil, low), step)), 0, 255)
	y := clampTo(b, add(b, b.Op("Round", nil, div(b, x, step)), zero), 0, 255)
	return []*value{b.Cast(y, legalise.Uint8), step, b.Cast(zero, legalise.Uint8)}
}

// rowsOf shapes a zero point per row (or column) of x.
func rowsOf(b *builder, zero, x *value, axis int) *value {
	if zero.Len() == 1 {
		return b.Reshape(zero)
	}
	dims := slices.Repeat([]int{1}, x.Rank())
	dims[axis] = zero.Len()
	return b.Reshape(zero, dims...)
}
