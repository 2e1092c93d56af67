package onnxwrite

import "math"

// list is a short way to write a node's inputs.
func list(v ...Value) []Value { return v }

// Add is a + b.
func (n *Net) Add(a, b Value) Value { return n.Op("Add", list(a, b)) }

// Mul is a · b.
func (n *Net) Mul(a, b Value) Value { return n.Op("Mul", list(a, b)) }

// MatMul is the product of the last two axes.
func (n *Net) MatMul(a, b Value) Value { return n.Op("MatMul", list(a, b)) }

// Reshape: 0 keeps a dimension, -1 stands for the rest.
func (n *Net) Reshape(x Value, dims ...int) Value {
	return n.Op("Reshape", list(x, n.Ints(dims...)))
}

// Transpose permutes the axes.
func (n *Net) Transpose(x Value, perm ...int) Value {
	return n.Op("Transpose", list(x), A("perm", perm))
}

// SliceAxis cuts one axis to [from, to).
func (n *Net) SliceAxis(x Value, axis, from, to int) Value {
	return n.Op("Slice", list(x, n.Ints(from), n.Ints(to), n.Ints(axis)))
}

// Pick takes one place of an axis, which goes.
func (n *Net) Pick(x Value, axis, at int) Value {
	return n.Op("Gather", list(x, n.IntTable([]int{at})), A("axis", axis))
}

// Concat joins along an axis.
func (n *Net) Concat(axis int, x ...Value) Value { return n.Op("Concat", x, A("axis", axis)) }

// Unsqueeze adds axes of size 1.
func (n *Net) Unsqueeze(x Value, axes ...int) Value {
	return n.Op("Unsqueeze", list(x, n.Ints(axes...)))
}

// Softmax is that of the last axis.
func (n *Net) Softmax(x Value) Value { return n.Op("Softmax", list(x), A("axis", -1)) }

// ReLU is max(x, 0).
func (n *Net) ReLU(x Value) Value { return n.Op("Relu", list(x)) }

// GELU is x·Φ(x), by the error function.
func (n *Net) GELU(x Value) Value {
	erf := n.Op("Erf", list(n.Op("Div", list(x, n.Float(math.Sqrt2)))))
	return n.Mul(n.Mul(x, n.Add(erf, n.Float(1))), n.Float(0.5))
}

// Linear is PyTorch's Linear of a module; its bias may be missing.
func (n *Net) Linear(x Value, module string) Value {
	y := n.MatMul(x, n.Transpose(n.Weight(module+".weight"), 1, 0))
	if n.HasWeight(module + ".bias") {
		y = n.Add(y, n.Weight(module+".bias"))
	}
	return y
}

// MLP is a chain of Linear layers, module.0, module.1 …, with ReLU between.
func (n *Net) MLP(x Value, module string, layers int) Value {
	for i := range layers {
		if i > 0 {
			x = n.ReLU(x)
		}
		x = n.Linear(x, Sub(module, i))
	}
	return x
}

// LayerNorm normalises the last axis.
func (n *Net) LayerNorm(x Value, module string, epsilon float64) Value {
	n.Need(17)
	return n.Op("LayerNormalization", list(x, n.Weight(module+".weight"), n.Weight(module+".bias")), A("axis", -1), A("epsilon", epsilon))
}

// ChannelNorm is LayerNorm over the channels of [batch, channels, height, width].
func (n *Net) ChannelNorm(x Value, module string, epsilon float64) Value {
	return n.Transpose(n.LayerNorm(n.Transpose(x, 0, 2, 3, 1), module, epsilon), 0, 3, 1, 2)
}

// Convolve is a convolution of a module with square kernels; its bias may be missing.
func (n *Net) Convolve(x Value, module string, stride, pad int) Value {
	in := list(x, n.Weight(module+".weight"))
	if n.HasWeight(module + ".bias") {
		in = append(in, n.Weight(module+".bias"))
	}
	shape := n.WeightShape(module+".weight", 4)
	return n.Op("Conv", in, A("kernel_shape", shape[2:]), A("strides", []int{stride, stride}), A("pads", []int{pad, pad, pad, pad}))
}

// UpConvolve is a transposed convolution whose kernels do not overlap.
func (n *Net) UpConvolve(x Value, module string) Value {
	shape := n.WeightShape(module+".weight", 4)
	return n.Op("ConvTranspose", list(x, n.Weight(module+".weight"), n.Weight(module+".bias")), A("kernel_shape", shape[2:]), A("strides", shape[2:]))
}

// Heads turns [batch, tokens, width] into [batch, heads, tokens, width / heads].
func (n *Net) Heads(x Value, heads int) Value {
	return n.Transpose(n.Op("Reshape", list(x, n.Ints(0, 0, heads, -1))), 0, 2, 1, 3)
}

// Joined is the way back.
func (n *Net) Joined(x Value) Value { return n.Reshape(n.Transpose(x, 0, 2, 1, 3), 0, 0, -1) }

// Attend is softmax(q·kᵀ/√width + bias)·v of [batch, heads, tokens, width];
// bias "" is none.
func (n *Net) Attend(q, k, v Value, width int, bias Value) Value {
	q = n.Mul(q, n.Float(float32(1/math.Sqrt(float64(width)))))
	scores := n.MatMul(q, n.Transpose(k, 0, 1, 3, 2))
	if bias != "" {
		scores = n.Add(scores, bias)
	}
	return n.MatMul(n.Softmax(scores), v)
}

// Count is how many modules prefix.0, prefix.1 … there are, by a tensor of each.
func (n *Net) Count(prefix, tensor string) int {
	i := 0
	for n.HasWeight(Sub(prefix, i) + "." + tensor) {
		i++
	}
	return i
}
