package onnximport

import (
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas

	"wsss/models/layers"
	"wsss/models/onnximport/legalise"
)

// trained are the ops whose gradient is written out here, because deriving it
// from how the op is spelled takes about twice as many passes over the data.
var trained = map[string]func(n *legalise.Node, in []*Node) *Node{
	"LayerNormalization": trainedNorm,
	"Softmax":            trainedSoftmax,
}

// trainedSoftmax has the gradient (dy − Σ dy·y)·y.
func trainedSoftmax(n *legalise.Node, in []*Node) *Node {
	axis := legalise.Axis(n.Int("axis", -1), in[0].Rank())
	forward := func(in []*Node) *Node { return Softmax(in[0], axis) }
	return layers.WithGradient(in, forward, func(y, dy *Node) []*Node {
		return []*Node{Mul(Sub(dy, ReduceAndKeep(Mul(dy, y), ReduceSum, axis)), y)}
	})
}

// trainedNorm has, with n = (x − mean)/deviation and g = dy·scale, the
// gradients (g − mean g − n·mean(g·n))/deviation of x, Σ dy·n of the scale and
// Σ dy of the bias.
func trainedNorm(node *legalise.Node, in []*Node) *Node {
	width := 1
	for _, axis := range normAxes(node, in[0]) {
		width *= in[0].Shape().Dim(axis)
	}
	for _, x := range in[1:] {
		if x.Shape().Size() != width {
			return layerNorm(node, in) // broadcast
		}
	}
	forward := func(in []*Node) *Node { return layerNorm(node, in) }
	return layers.WithGradient(in, forward, func(_, dy *Node) []*Node {
		// As rows of what is normalised together.
		rows := in[0].Shape().Size() / width
		x, d, scale := Reshape(in[0], rows, width), Reshape(dy, rows, width), Reshape(in[1], 1, width)
		mean := func(x *Node) *Node { return ReduceAndKeep(x, ReduceMean, -1) }
		centred := Sub(x, mean(x))
		deviation := Sqrt(AddScalar(mean(Square(centred)), normEpsilon(node)))
		normal := Div(centred, deviation)
		g := Mul(d, scale)
		dx := Div(Sub(Sub(g, mean(g)), Mul(normal, mean(Mul(g, normal)))), deviation)
		grads := []*Node{ReshapeWithShape(dx, in[0].Shape()), ReshapeWithShape(ReduceSum(Mul(d, normal), 0), in[1].Shape())}
		if len(in) > 2 {
			grads = append(grads, ReshapeWithShape(ReduceSum(d, 0), in[2].Shape()))
		}
		return grads
	})
}
