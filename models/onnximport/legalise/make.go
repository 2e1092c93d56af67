package legalise

import (
	"fmt"
	"slices"
)

// The values and ops that rules are written with.

// ConstInts makes an integer constant; no dims make a scalar.
func (b *Builder) ConstInts(d DType, dims []int, v ...int) *Value {
	key := ""
	if len(v) <= 16 {
		key = fmt.Sprint(d, dims, v)
		if c := b.consts[key]; c != nil {
			return c
		}
	}
	b.spend(len(v))
	c := &Value{Name: b.unique("~int"), DType: d, Dims: dims, Const: &Const{Ints: toInt64s(v)}}
	if key != "" {
		b.consts[key] = c
	}
	return c
}

// Note has the builder remember something of a value, for rules that meet it
// later.
func (b *Builder) Note(v *Value, what any) { b.notes[v] = what }

// Noted is what was last noted of v, nil if nothing was.
func (b *Builder) Noted(v *Value) any { return b.notes[v] }

// List makes an int64 vector constant.
func (b *Builder) List(v ...int) *Value { return b.ConstInts(Int64, []int{len(v)}, v...) }

// ConstFloats makes a constant of v's type d, rounded to it.
func (b *Builder) ConstFloats(d DType, dims []int, v ...float64) *Value {
	b.spend(len(v))
	data := make([]float64, len(v))
	for i, x := range v {
		data[i] = roundTo(d, x)
	}
	return &Value{Name: b.unique("~float"), DType: d, Dims: dims, Const: &Const{Floats: data}}
}

// Scalar makes a scalar of type d from x.
func (b *Builder) Scalar(d DType, x float64) *Value {
	if IsFloat(d) {
		return b.ConstFloats(d, nil, x)
	}
	return b.ConstInts(d, nil, int(x))
}

// Reshape gives v these dimensions.
func (b *Builder) Reshape(v *Value, dims ...int) *Value {
	if v.Len() == 0 && slices.Contains(dims, 0) { // for the op a 0 would stand for v's own
		return &Value{Name: b.unique("~empty"), DType: v.DType, Dims: slices.Clone(dims), Const: emptyConst(v.DType)}
	}
	return b.Op("Reshape", nil, v, b.List(dims...))
}

// Transpose permutes the axes of v.
func (b *Builder) Transpose(v *Value, perm ...int) *Value {
	return b.Op("Transpose", Attrs{"perm": Ints(perm...)}, v)
}

// Cast converts v to type d.
func (b *Builder) Cast(v *Value, d DType) *Value {
	return b.Op("Cast", Attrs{"to": int64(d)}, v)
}

// Slice takes the elements start to end of v along axis.
func (b *Builder) Slice(v *Value, axis, start, end int) *Value {
	if start == 0 && end == v.Dims[axis] {
		return v
	}
	return b.Op("Slice", nil, v, b.List(start), b.List(end), b.List(axis))
}

// Concat joins values along axis.
func (b *Builder) Concat(axis int, v ...*Value) *Value {
	return b.Op("Concat", Attrs{"axis": int64(axis)}, v...)
}

// Reduce applies a reduction over axes.
func (b *Builder) Reduce(op string, v *Value, keep bool, axes ...int) *Value {
	k := int64(0)
	if keep {
		k = 1
	}
	return b.Op(op, Attrs{"axes": Ints(axes...), "keepdims": k}, v)
}
