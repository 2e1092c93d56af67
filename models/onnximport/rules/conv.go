package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"Conv": conv}) }

// conv resolves automatic padding. Windows that do not overlap (patch
// embeddings) are matrix products on every engine; the rest only where the
// engine's own convolution is slow or lacks the form.
func conv(b *builder, n *node) []*value {
	x, k := arg(n, 0), arg(n, 1)
	group := n.Int("group", 1)
	if x.Rank() < 3 || k.Rank() != x.Rank() || group < 1 || k.Dims[1]*group != x.Dims[1] || k.Dims[0]%group != 0 {
		legalise.Failf("input %v, weights %v, %d groups", x.Dims, k.Dims, group)
	}
	w := legalise.WindowOf(n, x.Dims[2:], k.Dims[2:])
	both := !allAre(w.Stride, 1) && !allAre(w.Dilation, 1)
	disjoint := group == 1 && slices.Equal(w.Kernel, w.Stride) && allAre(w.Dilation, 1)
	if !b.LowerConv() && !both && x.Rank() == 4 && !(disjoint && !allAre(w.Stride, 1)) {
		n.Attrs = attrs{"strides": legalise.Ints(w.Stride...), "pads": legalise.Ints(w.Pads...),
			"dilations": legalise.Ints(w.Dilation...), "group": int64(group)}
		return nil
	}
	var y *value
	x = padSpatial(b, x, w, 0)
	switch {
	case disjoint:
		y = patches(b, x, k, w)
	case k.Dims[1] == 1 && k.Dims[0] == group:
		y = depthwise(b, x, k, w)
	default:
		y = columns(b, x, k, w, group)
	}
	y = b.Reshape(y, append([]int{x.Dims[0], k.Dims[0]}, w.Out...)...)
	if bias := n.Arg(2); bias != nil {
		y = add(b, y, perChannel(b, bias, y.Rank()))
	}
	return one(y)
}

// patches multiplies whole windows [N·L, C·k] by the kernels [C·k, O].
func patches(b *builder, x, k *value, w legalise.Window) *value {
	batch, c, o := x.Dims[0], x.Dims[1], k.Dims[0]
	if allAre(w.Kernel, 1) && batch == 1 {
		return b.Op("MatMul", nil, b.Reshape(k, o, c), b.Reshape(x, c, -1))
	}
	split, perm, last := []int{batch, c}, []int{0}, []int{1}
	for i, s := range w.Kernel {
		x = b.Slice(x, 2+i, 0, w.Out[i]*s)
		split = append(split, w.Out[i], s)
		perm, last = append(perm, 2+2*i), append(last, 3+2*i)
	}
	rows := b.Reshape(b.Transpose(b.Reshape(x, split...), append(perm, last...)...), -1, c*prod(w.Kernel))
	y := b.Op("MatMul", nil, rows, b.Transpose(b.Reshape(k, o, -1), 1, 0))
	return b.Transpose(b.Reshape(y, batch, -1, o), 0, 2, 1)
}

// depthwise adds up the taps, each times its weight per channel.
func depthwise(b *builder, x, k *value, w legalise.Window) *value {
	flat := b.Reshape(k, 1, k.Dims[0], -1)
	var y *value
	i := 0
	taps(w, func(at []int) {
		weight := perChannel(b, b.Reshape(b.Slice(flat, 2, i, i+1), -1), x.Rank())
		v := mul(b, window(b, x, w, at), weight)
		if i++; y == nil {
			y = v
		} else {
			y = add(b, y, v)
		}
	})
	return y
}

// columns gathers all taps [N, C, taps, L] and multiplies.
func columns(b *builder, x, k *value, w legalise.Window, group int) *value {
	batch, c, o := x.Dims[0], x.Dims[1], k.Dims[0]
	l := prod(w.Out)
	var parts []*value
	taps(w, func(at []int) { parts = append(parts, b.Reshape(window(b, x, w, at), batch, c, 1, l)) })
	cols := parts[0]
	if len(parts) > 1 {
		cols = b.Concat(2, parts...)
	}
	inner := k.Dims[1] * len(parts)
	switch {
	case group > 1:
		return b.Op("MatMul", nil, b.Reshape(k, 1, group, o/group, inner), b.Reshape(cols, batch, group, inner, l))
	case batch == 1:
		return b.Op("MatMul", nil, b.Reshape(k, o, inner), b.Reshape(cols, inner, l))
	}
	return b.Op("MatMul", nil, b.Reshape(k, o, inner), b.Reshape(cols, batch, inner, l))
}
