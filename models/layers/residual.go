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

// MeanImage is the mean over the image axes: [batch, h, w, c] to [batch, 1, 1, c].
func MeanImage(x *Node) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	ones := BroadcastToDims(Scalar(x.Graph(), x.DType(), 1/float64(h*w)), n, 1, h*w)
	return Reshape(DotGeneral(ones, []int{2}, []int{0}, Reshape(x, n, h*w, c), []int{1}, []int{0}), n, 1, 1, c)
}
