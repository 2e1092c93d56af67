package adapter

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// binary is op of x and y as they were before they were broadcast.
func (f *direct) binary(op func(x, y compute.Value) (compute.Value, error), x, y compute.Value) (compute.Value, error) {
	smallX, okX := f.broadcasts[x]
	smallY, okY := f.broadcasts[y]
	switch {
	case okX && okY:
		z, err := op(smallX, smallY)
		return f.widened(z, x, err)
	case okX && f.sameShape(x, y):
		return op(smallX, y)
	case okY && f.sameShape(x, y):
		return op(x, smallY)
	}
	return op(x, y)
}

// unary is op of x as it was before it was broadcast, broadcast afterwards.
func (f *direct) unary(op func(x compute.Value) (compute.Value, error), x compute.Value) (compute.Value, error) {
	small, ok := f.broadcasts[x]
	if !ok {
		return op(x)
	}
	z, err := op(small)
	return f.widened(z, x, err)
}

// widened is z, broadcast to the shape of like where it is smaller.
func (f *direct) widened(z, like compute.Value, err error) (compute.Value, error) {
	if err != nil {
		return nil, err
	}
	to, err := f.Shape(like)
	if err != nil {
		return nil, err
	}
	from, err := f.Shape(z)
	if err != nil || slices.Equal(from.Dimensions, to.Dimensions) {
		return z, err
	}
	axes := make([]int, from.Rank())
	for i := range axes {
		axes[i] = i
	}
	return f.BroadcastInDim(z, shapes.Make(from.DType, to.Dimensions...), axes)
}

func (f *direct) sameShape(x, y compute.Value) bool {
	s, err := f.Shape(x)
	t, err2 := f.Shape(y)
	return err == nil && err2 == nil && slices.Equal(s.Dimensions, t.Dimensions)
}

// Where chooses between x and y, each of which may be one number.
func (f *direct) Where(condition, x, y compute.Value) (compute.Value, error) {
	number := func(v compute.Value) compute.Value {
		small, ok := f.broadcasts[v]
		if !ok || !f.sameShape(condition, v) {
			return v
		}
		if s, err := f.Shape(small); err != nil || !s.IsScalar() {
			return v
		}
		return small
	}
	return f.Function.Where(condition, number(x), number(y))
}

// Add is made of small operands.
func (f *direct) Add(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Add, x, y)
}

// Sub is made of small operands.
func (f *direct) Sub(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Sub, x, y)
}

// Mul is made of small operands.
func (f *direct) Mul(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Mul, x, y)
}

// Div is made of small operands.
func (f *direct) Div(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Div, x, y)
}

// Rem is made of small operands.
func (f *direct) Rem(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Rem, x, y)
}

// Max is made of small operands.
func (f *direct) Max(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Max, x, y)
}

// Min is made of small operands.
func (f *direct) Min(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Min, x, y)
}

// Pow is made of small operands.
func (f *direct) Pow(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Pow, x, y)
}

// Atan2 is made of small operands.
func (f *direct) Atan2(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Atan2, x, y)
}

// Equal is made of small operands.
func (f *direct) Equal(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.Equal, x, y)
}

// NotEqual is made of small operands.
func (f *direct) NotEqual(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.NotEqual, x, y)
}

// GreaterThan is made of small operands.
func (f *direct) GreaterThan(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.GreaterThan, x, y)
}

// GreaterOrEqual is made of small operands.
func (f *direct) GreaterOrEqual(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.GreaterOrEqual, x, y)
}

// LessThan is made of small operands.
func (f *direct) LessThan(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.LessThan, x, y)
}

// LessOrEqual is made of small operands.
func (f *direct) LessOrEqual(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.LessOrEqual, x, y)
}

// LogicalAnd is made of small operands.
func (f *direct) LogicalAnd(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.LogicalAnd, x, y)
}

// LogicalOr is made of small operands.
func (f *direct) LogicalOr(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.LogicalOr, x, y)
}

// LogicalXor is made of small operands.
func (f *direct) LogicalXor(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.LogicalXor, x, y)
}

// BitwiseAnd is made of small operands.
func (f *direct) BitwiseAnd(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.BitwiseAnd, x, y)
}

// BitwiseOr is made of small operands.
func (f *direct) BitwiseOr(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.BitwiseOr, x, y)
}

// BitwiseXor is made of small operands.
func (f *direct) BitwiseXor(x, y compute.Value) (compute.Value, error) {
	return f.binary(f.Function.BitwiseXor, x, y)
}

// Abs is made of a small operand.
func (f *direct) Abs(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Abs, x) }

// BitCount is made of a small operand.
func (f *direct) BitCount(x compute.Value) (compute.Value, error) {
	return f.unary(f.Function.BitCount, x)
}

// BitwiseNot is made of a small operand.
func (f *direct) BitwiseNot(x compute.Value) (compute.Value, error) {
	return f.unary(f.Function.BitwiseNot, x)
}

// Ceil is made of a small operand.
func (f *direct) Ceil(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Ceil, x) }

// Clz is made of a small operand.
func (f *direct) Clz(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Clz, x) }

// Conj is made of a small operand.
func (f *direct) Conj(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Conj, x) }

// Cos is made of a small operand.
func (f *direct) Cos(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Cos, x) }

// Erf is made of a small operand.
func (f *direct) Erf(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Erf, x) }

// Exp is made of a small operand.
func (f *direct) Exp(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Exp, x) }

// Expm1 is made of a small operand.
func (f *direct) Expm1(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Expm1, x) }

// Floor is made of a small operand.
func (f *direct) Floor(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Floor, x) }

// Imag is made of a small operand.
func (f *direct) Imag(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Imag, x) }

// IsFinite is made of a small operand.
func (f *direct) IsFinite(x compute.Value) (compute.Value, error) {
	return f.unary(f.Function.IsFinite, x)
}

// IsNaN is made of a small operand.
func (f *direct) IsNaN(x compute.Value) (compute.Value, error) { return f.unary(f.Function.IsNaN, x) }

// Log is made of a small operand.
func (f *direct) Log(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Log, x) }

// Log1p is made of a small operand.
func (f *direct) Log1p(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Log1p, x) }

// LogicalNot is made of a small operand.
func (f *direct) LogicalNot(x compute.Value) (compute.Value, error) {
	return f.unary(f.Function.LogicalNot, x)
}

// Logistic is made of a small operand.
func (f *direct) Logistic(x compute.Value) (compute.Value, error) {
	return f.unary(f.Function.Logistic, x)
}

// Neg is made of a small operand.
func (f *direct) Neg(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Neg, x) }

// Real is made of a small operand.
func (f *direct) Real(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Real, x) }

// Round is made of a small operand.
func (f *direct) Round(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Round, x) }

// Rsqrt is made of a small operand.
func (f *direct) Rsqrt(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Rsqrt, x) }

// Sign is made of a small operand.
func (f *direct) Sign(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Sign, x) }

// Sin is made of a small operand.
func (f *direct) Sin(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Sin, x) }

// Sqrt is made of a small operand.
func (f *direct) Sqrt(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Sqrt, x) }

// Tanh is made of a small operand.
func (f *direct) Tanh(x compute.Value) (compute.Value, error) { return f.unary(f.Function.Tanh, x) }
