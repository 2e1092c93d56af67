package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"InstanceNormalization":        instanceNorm,
		"GroupNormalization":           groupNorm,
		"BatchNormalization":           batchNorm,
		"LayerNormalization":           layerNorm,
		"SimplifiedLayerNormalization": rmsNorm,
		"RMSNormalization":             rmsNorm,
		"SkipLayerNormalization":       skipLayerNorm,
		"LpNormalization":              lpNorm,
		"LRN":                          lrn,
	})
}

// standardise returns (x − mean) / √(variance + ε) over axes.
func standardise(b *builder, x *value, eps float64, axes ...int) *value {
	centred := sub(b, x, b.Reduce("ReduceMean", x, true, axes...))
	variance := b.Reduce("ReduceMean", mul(b, centred, centred), true, axes...)
	return div(b, centred, b.Op("Sqrt", nil, add(b, variance, like(b, x, eps))))
}

func instanceNorm(b *builder, n *node) []*value {
	x := arg(n, 0)
	if x.Rank() < 3 {
		legalise.Failf("input of rank %d", x.Rank())
	}
	flat := b.Reshape(x, x.Dims[0], x.Dims[1], -1)
	y := b.Reshape(standardise(b, flat, n.Float("epsilon", 1e-5), 2), x.Dims...)
	return one(affine(b, y, arg(n, 1), arg(n, 2)))
}

// affine is y·scale + bias per channel.
func affine(b *builder, y, scale, bias *value) *value {
	return add(b, mul(b, y, perChannel(b, scale, y.Rank())), perChannel(b, bias, y.Rank()))
}

// groupNorm has scales per group in operator sets before 21, else per channel.
func groupNorm(b *builder, n *node) []*value {
	x := arg(n, 0)
	groups := n.Int("num_groups", 0)
	if x.Rank() < 3 || groups < 1 || x.Dims[1]%groups != 0 {
		legalise.Failf("%d groups of input %v", groups, x.Dims)
	}
	y := b.Reshape(standardise(b, b.Reshape(x, x.Dims[0], groups, -1), n.Float("epsilon", 1e-5), 2), x.Dims...)
	scale, bias := arg(n, 1), arg(n, 2)
	if scale.Len() == groups && groups != x.Dims[1] {
		size := x.Dims[1] / groups
		scale, bias = repeatEach(b, scale, size), repeatEach(b, bias, size)
	}
	return one(affine(b, y, scale, bias))
}

// repeatEach repeats each element of a vector k times.
func repeatEach(b *builder, v *value, k int) *value {
	return b.Reshape(b.Op("Expand", nil, b.Reshape(v, v.Len(), 1), b.List(v.Len(), k)), v.Len()*k)
}

// batchNorm with its running statistics is affine; the factors are computed
// per channel first.
func batchNorm(b *builder, n *node) []*value {
	x := arg(n, 0)
	if n.Int("training_mode", 0) != 0 || x.Rank() < 2 {
		legalise.Failf("training mode")
	}
	scale, bias, mean, variance := arg(n, 1), arg(n, 2), arg(n, 3), arg(n, 4)
	scale = div(b, scale, b.Op("Sqrt", nil, add(b, variance, like(b, variance, n.Float("epsilon", 1e-5)))))
	return one(affine(b, x, scale, sub(b, bias, mul(b, mean, scale))))
}

func layerNorm(_ *builder, n *node) []*value {
	if n.Outs() > 1 {
		legalise.Failf("outputs of statistics")
	}
	return nil
}

func rmsNorm(b *builder, n *node) []*value {
	x := arg(n, 0)
	axis := n.Axis("axis", -1, x.Rank())
	square := b.Reduce("ReduceMean", mul(b, x, x), true, iota0(x.Rank())[axis:]...)
	y := div(b, x, b.Op("Sqrt", nil, add(b, square, like(b, x, n.Float("epsilon", 1e-5)))))
	return one(mul(b, y, arg(n, 1)))
}

// skipLayerNorm is ONNX Runtime's fused layerNorm(x + skip + bias).
func skipLayerNorm(b *builder, n *node) []*value {
	x := add(b, arg(n, 0), arg(n, 1))
	if bias := n.Arg(4); bias != nil {
		x = add(b, x, bias)
	}
	y := b.Op("LayerNormalization", attrs{"epsilon": float32(n.Float("epsilon", 1e-12))}, x, arg(n, 2), n.Arg(3))
	return []*value{y, nil, nil, x}
}

func lpNorm(b *builder, n *node) []*value {
	x := arg(n, 0)
	axis := n.Axis("axis", -1, x.Rank())
	op := "ReduceL2"
	if n.Int("p", 2) == 1 {
		op = "ReduceL1"
	}
	return one(div(b, x, b.Reduce(op, x, true, axis)))
}

// lrn divides by a power of the mean square over neighbouring channels.
func lrn(b *builder, n *node) []*value {
	x := arg(n, 0)
	size := n.Int("size", 1)
	if x.Rank() < 3 || size < 1 || size > maxTaps {
		legalise.Failf("size %d of input %v", size, x.Dims)
	}
	pads := make([]int, 2*x.Rank())
	pads[1], pads[x.Rank()+1] = (size-1)/2, size/2
	square := b.Op("Pad", nil, mul(b, x, x), b.List(pads...))
	var sum *value
	for i := range size {
		part := b.Slice(square, 1, i, i+x.Dims[1])
		if sum == nil {
			sum = part
		} else {
			sum = add(b, sum, part)
		}
	}
	base := add(b, mul(b, sum, like(b, x, n.Float("alpha", 1e-4)/float64(size))), like(b, x, n.Float("bias", 1)))
	return one(div(b, x, b.Op("Pow", nil, base, like(b, x, n.Float("beta", 0.75)))))
}
