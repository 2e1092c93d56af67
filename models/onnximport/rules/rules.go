// Package rules holds the rewrites of ONNX ops into the few that the importer
// and every engine have. Importing it registers them.
package rules

import (
	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
)

// Short names: a rule reads like the formula it stands for.
type (
	builder = legalise.Builder
	node    = legalise.Node
	value   = legalise.Value
	attrs   = legalise.Attrs
)

func register(rules map[string]legalise.Rule) {
	for op, rule := range rules {
		legalise.Register(op, rule)
	}
}

func one(v *value) []*value { return []*value{v} }

func add(b *builder, x, y *value) *value { return b.Op("Add", nil, x, y) }
func sub(b *builder, x, y *value) *value { return b.Op("Sub", nil, x, y) }
func mul(b *builder, x, y *value) *value { return b.Op("Mul", nil, x, y) }
func div(b *builder, x, y *value) *value { return b.Op("Div", nil, x, y) }

// like makes a scalar of v's type.
func like(b *builder, v *value, x float64) *value { return b.Scalar(v.DType, x) }

// arg returns a required input.
func arg(n *node, i int) *value {
	v := n.Arg(i)
	if v == nil {
		legalise.Failf("input %d is missing", i)
	}
	return v
}

func prod(dims []int) int {
	p := 1
	for _, d := range dims {
		p *= d
	}
	return p
}

// tableLimit bounds the constant tables that a rule makes up.
const tableLimit = 1 << 26

// table makes room for n numbers.
func table[T int | float64](n int) []T {
	if n < 0 || n > tableLimit {
		legalise.Failf("a table of %d numbers", n)
	}
	return make([]T, n)
}

// square is rows·cols, checked before it can overflow.
func square(rows, cols int) int {
	if rows > tableLimit || cols > tableLimit {
		legalise.Failf("a table of %d by %d", rows, cols)
	}
	return rows * cols
}

// iota0 returns 0, 1, … n−1.
func iota0(n int) []int {
	out := table[int](n)
	for i := range out {
		out[i] = i
	}
	return out
}

// perChannel reshapes a vector [C] so that it broadcasts over [N, C, …].
func perChannel(b *builder, v *value, rank int) *value {
	dims := make([]int, rank)
	for i := range dims {
		dims[i] = 1
	}
	dims[1] = v.Len()
	return b.Reshape(v, dims...)
}

// widened returns the type that a Cast names, half precision widened.
func widened(n *node) legalise.DType { return onnxfile.Widen(legalise.DType(n.Int("to", 0))) }
