package official

import "math"

// list is a short way to write a node's inputs.
func list(v ...value) []value { return v }

func (n *net) add(a, b value) value { return n.Op("Add", list(a, b)) }

func (n *net) mul(a, b value) value { return n.Op("Mul", list(a, b)) }

func (n *net) matMul(a, b value) value { return n.Op("MatMul", list(a, b)) }

// reshape: 0 keeps a dimension, -1 stands for the rest.
func (n *net) reshape(x value, dims ...int) value {
	return n.Op("Reshape", list(x, n.Ints(dims...)))
}

func (n *net) transpose(x value, perm ...int) value {
	return n.Op("Transpose", list(x), attr("perm", perm))
}

// slice cuts one axis to [from, to).
func (n *net) slice(x value, axis, from, to int) value {
	return n.Op("Slice", list(x, n.Ints(from), n.Ints(to), n.Ints(axis)))
}

// pick takes one place of an axis, which goes.
func (n *net) pick(x value, axis, at int) value {
	return n.Op("Gather", list(x, n.IntTable([]int{at})), attr("axis", axis))
}

func (n *net) concat(axis int, x ...value) value { return n.Op("Concat", x, attr("axis", axis)) }

func (n *net) unsqueeze(x value, axes ...int) value {
	return n.Op("Unsqueeze", list(x, n.Ints(axes...)))
}

func (n *net) softmax(x value) value { return n.Op("Softmax", list(x), attr("axis", -1)) }

func (n *net) relu(x value) value { return n.Op("Relu", list(x)) }

// gelu is x·Φ(x), by the error function.
func (n *net) gelu(x value) value {
	erf := n.Op("Erf", list(n.Op("Div", list(x, n.Float(math.Sqrt2)))))
	return n.mul(n.mul(x, n.add(erf, n.Float(1))), n.Float(0.5))
}

// linear is PyTorch's Linear of a module; its bias may be missing.
func (n *net) linear(x value, module string) value {
	y := n.matMul(x, n.transpose(n.w(module+".weight"), 1, 0))
	if n.has(module + ".bias") {
		y = n.add(y, n.w(module+".bias"))
	}
	return y
}

// mlp is a chain of Linear layers, module.0, module.1 …, with ReLU between.
func (n *net) mlp(x value, module string, layers int) value {
	for i := range layers {
		if i > 0 {
			x = n.relu(x)
		}
		x = n.linear(x, sub(module, i))
	}
	return x
}

// layerNorm normalises the last axis.
func (n *net) layerNorm(x value, module string, epsilon float64) value {
	return n.Op("LayerNormalization", list(x, n.w(module+".weight"), n.w(module+".bias")), attr("axis", -1), attr("epsilon", epsilon))
}

// channelNorm is layerNorm over the channels of [batch, channels, height, width].
func (n *net) channelNorm(x value, module string, epsilon float64) value {
	return n.transpose(n.layerNorm(n.transpose(x, 0, 2, 3, 1), module, epsilon), 0, 3, 1, 2)
}

// conv is a convolution of a module with square kernels; its bias may be missing.
func (n *net) conv(x value, module string, stride, pad int) value {
	in := list(x, n.w(module+".weight"))
	if n.has(module + ".bias") {
		in = append(in, n.w(module+".bias"))
	}
	shape := n.shape(module+".weight", 4)
	return n.Op("Conv", in, attr("kernel_shape", shape[2:]), attr("strides", []int{stride, stride}), attr("pads", []int{pad, pad, pad, pad}))
}

// upConv is a transposed convolution whose kernels do not overlap.
func (n *net) upConv(x value, module string) value {
	shape := n.shape(module+".weight", 4)
	return n.Op("ConvTranspose", list(x, n.w(module+".weight"), n.w(module+".bias")), attr("kernel_shape", shape[2:]), attr("strides", shape[2:]))
}

// heads turns [batch, tokens, width] into [batch, heads, tokens, width / heads].
func (n *net) heads(x value, heads int) value {
	return n.transpose(n.Op("Reshape", list(x, n.Ints(0, 0, heads, -1))), 0, 2, 1, 3)
}

// joined is the way back.
func (n *net) joined(x value) value { return n.reshape(n.transpose(x, 0, 2, 1, 3), 0, 0, -1) }

// attend is softmax(q·kᵀ/√width + bias)·v of [batch, heads, tokens, width];
// bias "" is none.
func (n *net) attend(q, k, v value, width int, bias value) value {
	q = n.mul(q, n.Float(float32(1/math.Sqrt(float64(width)))))
	scores := n.matMul(q, n.transpose(k, 0, 1, 3, 2))
	if bias != "" {
		scores = n.add(scores, bias)
	}
	return n.matMul(n.softmax(scores), v)
}

// count is how many modules prefix.0, prefix.1 … there are, by a tensor of each.
func (n *net) count(prefix, tensor string) int {
	i := 0
	for n.has(sub(prefix, i) + "." + tensor) {
		i++
	}
	return i
}
