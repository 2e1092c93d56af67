package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() {
	all := map[string]legalise.Rule{}
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"} {
		all[op] = reduce
	}
	all["ReduceL1"] = reduceVia("Abs", "ReduceSum", "")
	all["ReduceL2"] = reduceVia("Square", "ReduceSum", "Sqrt")
	all["ReduceSumSquare"] = reduceVia("Square", "ReduceSum", "")
	all["ReduceLogSum"] = reduceVia("", "ReduceSum", "Log")
	all["ReduceLogSumExp"] = reduceLogSumExp
	register(all)
}

// reduceAxes returns the axes to reduce over, counted from the front; none
// mean all, unless the node says that they mean none.
func reduceAxes(b *builder, n *node) []int {
	x := arg(n, 0)
	axes := axesOf(b, n, 1)
	if len(axes) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		return iota0(x.Rank())
	}
	out := []int{}
	for _, a := range axes {
		out = append(out, legalise.Axis(a, x.Rank()))
	}
	return out
}

// reduce puts the axes into the attribute. Booleans and narrow integers are
// not among the types of reductions.
func reduce(b *builder, n *node) []*value {
	x, axes := arg(n, 0), reduceAxes(b, n)
	if len(axes) == 0 {
		return one(x)
	}
	if prod(pick(x.Dims, axes)) == 1 {
		if n.Int("keepdims", 1) != 0 {
			return one(x)
		}
		return one(b.Op("Squeeze", nil, x, b.List(axes...)))
	}
	if n.Op == "ReduceSum" {
		if y := weightedReadings(b, n, axes); y != nil {
			return one(y)
		}
	}
	if n.Arg(1) == nil && len(n.Ints("axes")) > 0 && !n.Has("noop_with_empty_axes") {
		return nil
	}
	return one(b.Reduce(n.Op, x, n.Int("keepdims", 1) != 0, axes...))
}

func pick(dims, axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = dims[a]
	}
	return out
}

// reduceVia maps, reduces and maps again; "" stands for no map.
func reduceVia(before, op, after string) legalise.Rule {
	return func(b *builder, n *node) []*value {
		x, axes := arg(n, 0), reduceAxes(b, n)
		switch before {
		case "":
		case "Square":
			x = mul(b, x, x)
		default:
			x = b.Op(before, nil, x)
		}
		x = b.Reduce(op, x, n.Int("keepdims", 1) != 0, axes...)
		if after != "" {
			x = b.Op(after, nil, x)
		}
		return one(x)
	}
}

func reduceLogSumExp(b *builder, n *node) []*value {
	x, axes := arg(n, 0), reduceAxes(b, n)
	top := b.Reduce("ReduceMax", x, true, axes...)
	sum := b.Reduce("ReduceSum", b.Op("Exp", nil, sub(b, x, top)), true, axes...)
	out := add(b, b.Op("Log", nil, sum), top)
	if n.Int("keepdims", 1) == 0 {
		out = b.Op("Squeeze", nil, out, b.List(axes...))
	}
	return one(out)
}
