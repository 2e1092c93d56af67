// Package layers holds the graph operations that the segmentation networks are
// made of, written so that forward and backward are fast on every backend:
// convolution (lowered per backend), folded or trained batch normalisation,
// bilinear resize, max-pool and dropout. Activations are [batch, height, width,
// channels], kernels [kernel height, kernel width, in, out]. Like all GoMLX
// graph functions, these panic on misuse.
package layers

import . "github.com/gomlx/gomlx/core/graph"

// vjp returns the gradient with respect to one input, given the output y and
// the gradient dy with respect to it.
type vjp func(y, dy *Node) *Node

// withGradient builds y = forward(inputs) and replaces its derivative: grads[i]
// gives the gradient of inputs[i]. GoMLX has custom gradients for the identity
// only, so the inputs and the output go through identities: the one on the
// output records dy, those on the inputs answer with grads. What GoMLX derives
// in between has no consumer and every backend drops it. forward and grads must
// use the inputs as passed to forward, else the identity costs a copy.
func withGradient(inputs []*Node, forward func(in []*Node) *Node, grads func(in []*Node) []vjp) *Node {
	var out, dy *Node
	in := make([]*Node, len(inputs))
	var fns []vjp
	for i, x := range inputs {
		in[i] = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return fns[i](out, dy) })
	}
	fns = grads(in)
	out = IdentityWithCustomGradient(forward(in), func(_, v *Node) *Node {
		dy = v
		return v
	})
	return out
}
