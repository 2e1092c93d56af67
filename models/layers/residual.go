package layers

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// AddReLU is max(a+b, 0), the end of a residual block. One gradient serves
// both inputs.
func AddReLU(a, b *Node) *Node {
	sum := Add(a, b)
	return withGradient([]*Node{sum}, func(in []*Node) *Node {
		return MaxScalar(in[0], 0)
	}, func([]*Node) []vjp { return []vjp{reluGradient} })
}
