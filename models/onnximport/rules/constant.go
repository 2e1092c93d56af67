package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"Constant":        constant,
		"ConstantOfShape": constantOfShape,
		"Identity":        identity,
		"Dropout":         dropout,
		"Shape":           shape,
		"Size":            func(b *builder, n *node) []*value { return one(b.ConstInts(legalise.Int64, nil, arg(n, 0).Len())) },
		"EyeLike":         eyeLike,
	})
}

func constant(b *builder, n *node) []*value {
	if v := b.TensorAttr(n, "value"); v != nil {
		return one(v)
	}
	switch v := first(n, "value_float", "value_int", "value_floats", "value_ints").(type) {
	case float32:
		return one(b.ConstFloats(legalise.Float, nil, float64(v)))
	case int64:
		return one(b.ConstInts(legalise.Int64, nil, int(v)))
	case []float32:
		data := make([]float64, len(v))
		for i, x := range v {
			data[i] = float64(x)
		}
		return one(b.ConstFloats(legalise.Float, []int{len(v)}, data...))
	case []int64:
		return one(b.ConstInts(legalise.Int64, []int{len(v)}, n.Ints("value_ints")...))
	}
	legalise.Failf("a constant without numbers")
	return nil
}

func first(n *node, names ...string) any {
	for _, name := range names {
		if v := n.Attrs[name]; v != nil {
			return v
		}
	}
	return nil
}

// constantOfShape is only reached where the result is too large to be folded.
func constantOfShape(b *builder, n *node) []*value {
	fill := b.TensorAttr(n, "value")
	if fill == nil {
		fill = b.ConstFloats(legalise.Float, nil, 0)
	}
	return one(b.Op("Expand", nil, b.Reshape(fill), arg(n, 0)))
}

func identity(b *builder, n *node) []*value { return one(arg(n, 0)) }

// dropout is the identity when a model is not trained; the mask is all true.
func dropout(b *builder, n *node) []*value {
	x := arg(n, 0)
	if n.Outs() < 2 {
		return one(x)
	}
	return []*value{x, b.Op("Expand", nil, b.ConstInts(legalise.Bool, nil, 1), b.List(x.Dims...))}
}

func shape(b *builder, n *node) []*value {
	x := arg(n, 0)
	clamp := func(i int) int {
		if i < 0 {
			i += x.Rank()
		}
		return min(max(i, 0), x.Rank())
	}
	start, end := clamp(n.Int("start", 0)), clamp(n.Int("end", x.Rank()))
	return one(b.List(x.Dims[start:max(start, end)]...))
}

func eyeLike(b *builder, n *node) []*value {
	x := arg(n, 0)
	if x.Rank() != 2 {
		legalise.Failf("input of rank %d", x.Rank())
	}
	rows := b.ConstInts(legalise.Int64, []int{x.Dims[0], 1}, iota0(x.Dims[0])...)
	cols := b.ConstInts(legalise.Int64, []int{1, x.Dims[1]}, iota0(x.Dims[1])...)
	k := b.ConstInts(legalise.Int64, nil, n.Int("k", 0))
	d := legalise.DType(n.Int("dtype", int(x.DType)))
	return one(b.Cast(b.Op("Equal", nil, add(b, rows, k), cols), d))
}
