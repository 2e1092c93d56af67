package rules

import (
	"math"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"Clip":     clip,
		"Round":    round,
		"Pow":      pow,
		"Cast":     cast,
		"CastLike": castLike,
		"IsNaN":    isNaN,
		"IsInf":    isInf,
		"Mod":      mod,
		"Equal":    equal,
		"Where":    where,
	})
}

// clip bounds by one or both of min and max; old forms hold them as
// attributes.
func clip(b *builder, n *node) []*value {
	x := arg(n, 0)
	lo, hi := n.Arg(1), n.Arg(2)
	if n.Has("min") {
		lo = like(b, x, n.Float("min", 0))
	}
	if n.Has("max") {
		hi = like(b, x, n.Float("max", 0))
	}
	if lo != nil {
		x = b.Op("Max", nil, x, b.Reshape(lo))
	}
	if hi != nil {
		x = b.Op("Min", nil, x, b.Reshape(hi))
	}
	return one(x)
}

// round rounds halves to even: floor(x+½), less 1 where that met a half from
// above at an odd number.
func round(b *builder, n *node) []*value {
	x := arg(n, 0)
	if !legalise.IsFloat(x.DType) {
		return one(x)
	}
	floor := b.Op("Floor", nil, x)
	frac := sub(b, x, floor)
	half := like(b, x, 0.5)
	up := add(b, floor, like(b, x, 1))
	odd := b.Op("Greater", nil, sub(b, floor, mul(b, like(b, x, 2), b.Op("Floor", nil, mul(b, floor, half)))), half)
	tie := b.Op("Where", nil, odd, up, floor)
	below := b.Op("Where", nil, b.Op("Less", nil, frac, half), floor, up)
	return one(b.Op("Where", nil, b.Op("Equal", nil, frac, half), tie, below))
}

// pow writes small known exponents as products, which are exact for negative
// bases and have gradients everywhere.
func pow(b *builder, n *node) []*value {
	x, y := arg(n, 0), arg(n, 1)
	if x.DType != y.DType {
		return one(b.Op("Pow", nil, x, b.Cast(y, x.DType)))
	}
	if y.Const == nil || y.Len() != 1 || y.Rank() > x.Rank() {
		return nil
	}
	switch e := b.KnownFloats(y, "the exponent")[0]; e {
	case 1:
		return one(x)
	case 2:
		return one(mul(b, x, x))
	case 3:
		return one(mul(b, mul(b, x, x), x))
	case 0.5:
		return one(b.Op("Sqrt", nil, x))
	}
	return nil
}

// cast drops casts to the same type; truth is "not zero".
func cast(b *builder, n *node) []*value {
	x := arg(n, 0)
	to := widened(n)
	switch {
	case to == x.DType:
		return one(x)
	case to == legalise.Bool:
		return one(b.Op("Not", nil, b.Op("Equal", nil, x, like(b, x, 0))))
	}
	return nil
}

func castLike(b *builder, n *node) []*value {
	return one(b.Cast(arg(n, 0), arg(n, 1).DType))
}

func isNaN(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(b.Op("Not", nil, b.Op("Equal", nil, x, x)))
}

func isInf(b *builder, n *node) []*value {
	x := arg(n, 0)
	pos := b.Op("Equal", nil, x, like(b, x, math.Inf(1)))
	neg := b.Op("Equal", nil, x, like(b, x, math.Inf(-1)))
	switch {
	case n.Int("detect_negative", 1) == 0:
		return one(pos)
	case n.Int("detect_positive", 1) == 0:
		return one(neg)
	}
	return one(b.Op("Or", nil, pos, neg))
}

// mod of floats is C's fmod, x − y·trunc(x/y).
func mod(b *builder, n *node) []*value {
	x, y := arg(n, 0), arg(n, 1)
	if !legalise.IsFloat(x.DType) {
		return nil
	}
	q := div(b, x, y)
	trunc := mul(b, b.Op("Sign", nil, q), b.Op("Floor", nil, b.Op("Abs", nil, q)))
	return one(sub(b, x, mul(b, y, trunc)))
}

// equal compares booleans by their numbers.
func equal(b *builder, n *node) []*value {
	x, y := arg(n, 0), arg(n, 1)
	if x.DType != legalise.Bool || x.Const != nil && y.Const != nil {
		return nil
	}
	return one(b.Op("Not", nil, b.Op("Xor", nil, x, y)))
}

// where with a known condition takes one side.
func where(b *builder, n *node) []*value {
	cond, x, y := arg(n, 0), arg(n, 1), arg(n, 2)
	if cond.Const == nil || cond.Len() == 0 {
		return nil
	}
	dims := legalise.Broadcast(legalise.Broadcast(cond.Dims, x.Dims), y.Dims)
	for _, c := range cond.Const.Ints {
		if c != cond.Const.Ints[0] {
			return nil
		}
	}
	if cond.Const.Ints[0] == 0 {
		x = y
	}
	return one(b.Op("Expand", nil, x, b.List(dims...)))
}
