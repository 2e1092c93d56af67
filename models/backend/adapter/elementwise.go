package adapter

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

type value = compute.Value

// binary is op of x and y as they were before they were broadcast.
func (f *direct) binary(op func(x, y value) (value, error), x, y value) (value, error) {
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
func (f *direct) unary(op func(x value) (value, error), x value) (value, error) {
	small, ok := f.broadcasts[x]
	if !ok {
		return op(x)
	}
	z, err := op(small)
	return f.widened(z, x, err)
}

// widened is z, broadcast to the shape of like where it is smaller.
func (f *direct) widened(z, like value, err error) (value, error) {
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

func (f *direct) sameShape(x, y value) bool {
	s, err := f.Shape(x)
	t, err2 := f.Shape(y)
	return err == nil && err2 == nil && slices.Equal(s.Dimensions, t.Dimensions)
}

// Where chooses between x and y, each of which may be one number.
func (f *direct) Where(condition, x, y value) (value, error) {
	number := func(v value) value {
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

// The operations on two operands, made of small ones.

func (f *direct) Add(x, y value) (value, error)      { return f.binary(f.Function.Add, x, y) }
func (f *direct) Sub(x, y value) (value, error)      { return f.binary(f.Function.Sub, x, y) }
func (f *direct) Mul(x, y value) (value, error)      { return f.binary(f.Function.Mul, x, y) }
func (f *direct) Div(x, y value) (value, error)      { return f.binary(f.Function.Div, x, y) }
func (f *direct) Rem(x, y value) (value, error)      { return f.binary(f.Function.Rem, x, y) }
func (f *direct) Max(x, y value) (value, error)      { return f.binary(f.Function.Max, x, y) }
func (f *direct) Min(x, y value) (value, error)      { return f.binary(f.Function.Min, x, y) }
func (f *direct) Pow(x, y value) (value, error)      { return f.binary(f.Function.Pow, x, y) }
func (f *direct) Atan2(x, y value) (value, error)    { return f.binary(f.Function.Atan2, x, y) }
func (f *direct) Equal(x, y value) (value, error)    { return f.binary(f.Function.Equal, x, y) }
func (f *direct) NotEqual(x, y value) (value, error) { return f.binary(f.Function.NotEqual, x, y) }
func (f *direct) GreaterThan(x, y value) (value, error) {
	return f.binary(f.Function.GreaterThan, x, y)
}
func (f *direct) GreaterOrEqual(x, y value) (value, error) {
	return f.binary(f.Function.GreaterOrEqual, x, y)
}
func (f *direct) LessThan(x, y value) (value, error) { return f.binary(f.Function.LessThan, x, y) }
func (f *direct) LessOrEqual(x, y value) (value, error) {
	return f.binary(f.Function.LessOrEqual, x, y)
}
func (f *direct) LogicalAnd(x, y value) (value, error) { return f.binary(f.Function.LogicalAnd, x, y) }
func (f *direct) LogicalOr(x, y value) (value, error)  { return f.binary(f.Function.LogicalOr, x, y) }
func (f *direct) LogicalXor(x, y value) (value, error) { return f.binary(f.Function.LogicalXor, x, y) }
func (f *direct) BitwiseAnd(x, y value) (value, error) { return f.binary(f.Function.BitwiseAnd, x, y) }
func (f *direct) BitwiseOr(x, y value) (value, error)  { return f.binary(f.Function.BitwiseOr, x, y) }
func (f *direct) BitwiseXor(x, y value) (value, error) { return f.binary(f.Function.BitwiseXor, x, y) }

// The operations on one operand, made of a small one.

func (f *direct) Abs(x value) (value, error)        { return f.unary(f.Function.Abs, x) }
func (f *direct) BitCount(x value) (value, error)   { return f.unary(f.Function.BitCount, x) }
func (f *direct) BitwiseNot(x value) (value, error) { return f.unary(f.Function.BitwiseNot, x) }
func (f *direct) Ceil(x value) (value, error)       { return f.unary(f.Function.Ceil, x) }
func (f *direct) Clz(x value) (value, error)        { return f.unary(f.Function.Clz, x) }
func (f *direct) Conj(x value) (value, error)       { return f.unary(f.Function.Conj, x) }
func (f *direct) Cos(x value) (value, error)        { return f.unary(f.Function.Cos, x) }
func (f *direct) Erf(x value) (value, error)        { return f.unary(f.Function.Erf, x) }
func (f *direct) Exp(x value) (value, error)        { return f.unary(f.Function.Exp, x) }
func (f *direct) Expm1(x value) (value, error)      { return f.unary(f.Function.Expm1, x) }
func (f *direct) Floor(x value) (value, error)      { return f.unary(f.Function.Floor, x) }
func (f *direct) Imag(x value) (value, error)       { return f.unary(f.Function.Imag, x) }
func (f *direct) IsFinite(x value) (value, error)   { return f.unary(f.Function.IsFinite, x) }
func (f *direct) IsNaN(x value) (value, error)      { return f.unary(f.Function.IsNaN, x) }
func (f *direct) Log(x value) (value, error)        { return f.unary(f.Function.Log, x) }
func (f *direct) Log1p(x value) (value, error)      { return f.unary(f.Function.Log1p, x) }
func (f *direct) LogicalNot(x value) (value, error) { return f.unary(f.Function.LogicalNot, x) }
func (f *direct) Logistic(x value) (value, error)   { return f.unary(f.Function.Logistic, x) }
func (f *direct) Neg(x value) (value, error)        { return f.unary(f.Function.Neg, x) }
func (f *direct) Real(x value) (value, error)       { return f.unary(f.Function.Real, x) }
func (f *direct) Round(x value) (value, error)      { return f.unary(f.Function.Round, x) }
func (f *direct) Rsqrt(x value) (value, error)      { return f.unary(f.Function.Rsqrt, x) }
func (f *direct) Sign(x value) (value, error)       { return f.unary(f.Function.Sign, x) }
func (f *direct) Sin(x value) (value, error)        { return f.unary(f.Function.Sin, x) }
func (f *direct) Sqrt(x value) (value, error)       { return f.unary(f.Function.Sqrt, x) }
func (f *direct) Tanh(x value) (value, error)       { return f.unary(f.Function.Tanh, x) }
