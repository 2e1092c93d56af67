package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"ConvTranspose": convTranspose}) }

// transposed is the geometry of a transposed convolution.
type transposed struct {
	kernel, stride, dilation []int
	before, after            []int // rows cut off the full result; negative adds
}

func transposedOf(n *node, x, w *value) transposed {
	k := x.Rank() - 2
	t := transposed{w.Dims[2:], intsOr(n, "strides", k, 1), intsOr(n, "dilations", k, 1), make([]int, k), make([]int, k)}
	pads, extra := intsOr(n, "pads", 2*k, 0), intsOr(n, "output_padding", k, 0)
	shape := n.Ints("output_shape")
	if len(shape) == k+2 {
		shape = shape[2:]
	}
	auto := n.Str("auto_pad", "NOTSET")
	for i := range k {
		if t.stride[i] < 1 || t.dilation[i] < 1 {
			legalise.Failf("strides %v, dilations %v", t.stride, t.dilation)
		}
		full := (x.Dims[2+i]-1)*t.stride[i] + (t.kernel[i]-1)*t.dilation[i] + 1 + extra[i]
		total := 0
		switch {
		case shape != nil:
			total = full - shape[i]
		case auto == "SAME_UPPER" || auto == "SAME_LOWER":
			total = full - x.Dims[2+i]*t.stride[i]
		case auto == "NOTSET":
			t.before[i], t.after[i] = pads[i], pads[k+i]-extra[i]
			continue
		}
		t.before[i] = total - total/2
		if auto == "SAME_UPPER" {
			t.before[i] = total / 2
		}
		t.after[i] = total - t.before[i] - extra[i]
	}
	return t
}

func intsOr(n *node, name string, k, def int) []int {
	v := n.Ints(name)
	if v == nil {
		return slices.Repeat([]int{def}, k)
	}
	if len(v) != k {
		legalise.Failf("%s %v, %d needed", name, v, k)
	}
	return v
}

// convTranspose is a matrix product and a rearrangement where windows do not
// overlap (SAM's decoder), else a convolution of the input spread by zeros
// with the mirrored kernel.
func convTranspose(b *builder, n *node) []*value {
	x, w := arg(n, 0), arg(n, 1)
	group := n.Int("group", 1)
	if x.Rank() < 3 || w.Rank() != x.Rank() || group < 1 || w.Dims[0] != x.Dims[1] || x.Dims[1]%group != 0 {
		legalise.Failf("input %v, weights %v, %d groups", x.Dims, w.Dims, group)
	}
	t := transposedOf(n, x, w)
	var y *value
	if group == 1 && slices.Equal(t.kernel, t.stride) && allAre(t.dilation, 1) {
		y = disjoint(b, x, w, t)
	} else {
		y = spread(b, x, w, t, group)
	}
	if bias := n.Arg(2); bias != nil {
		y = add(b, y, perChannel(b, bias, y.Rank()))
	}
	return one(y)
}

func allAre(v []int, x int) bool {
	return !slices.ContainsFunc(v, func(y int) bool { return y != x })
}

// disjoint computes x [N, C, H, W] with w [C, M, kh, kw], stride = kernel:
// one product [N·H·W, C]·[C, M·kh·kw], then pixels go to their places.
func disjoint(b *builder, x, w *value, t transposed) *value {
	k := len(t.kernel)
	c, m := w.Dims[0], w.Dims[1]
	last := append(append([]int{0}, iota0(k + 2)[2:]...), 1)
	rows := b.Reshape(b.Transpose(x, last...), -1, c)
	y := b.Op("MatMul", nil, rows, b.Reshape(w, c, -1))
	dims := append(append([]int{x.Dims[0]}, x.Dims[2:]...), m)
	y = b.Reshape(y, append(dims, t.kernel...)...) // N, H, W, M, kh, kw
	perm, out := []int{0, k + 1}, []int{x.Dims[0], m}
	for i := range k {
		perm = append(perm, 1+i, k+2+i)
		out = append(out, x.Dims[2+i]*t.kernel[i])
	}
	return crop(b, b.Reshape(b.Transpose(y, perm...), out...), t)
}

// crop cuts the borders that pads name; negative ones add zeros.
func crop(b *builder, y *value, t transposed) *value {
	pads := make([]int, 2*y.Rank())
	for i := range t.before {
		pads[2+i], pads[y.Rank()+2+i] = -t.before[i], -t.after[i]
	}
	return b.Op("Pad", nil, y, b.List(pads...))
}

// spread convolves the input, zeros between its pixels, with the kernel
// mirrored and its channel axes exchanged.
func spread(b *builder, x, w *value, t transposed, group int) *value {
	k := len(t.kernel)
	pads := make([]int, 2*k)
	for i := range k {
		if s := t.stride[i]; s > 1 {
			axis, d := 2+i, x.Dims[2+i]
			split := slices.Insert(slices.Clone(x.Dims), axis+1, 1)
			zeros := make([]int, 2*len(split))
			zeros[len(split)+axis+1] = s - 1
			x = b.Op("Pad", nil, b.Reshape(x, split...), b.List(zeros...))
			joined := slices.Clone(x.Dims)
			joined[axis] = d * s
			x = b.Slice(b.Reshape(x, slices.Delete(joined, axis+1, axis+2)...), axis, 0, (d-1)*s+1)
		}
		reach := (t.kernel[i] - 1) * t.dilation[i]
		pads[i], pads[k+i] = reach-t.before[i], reach-t.after[i]
	}
	border := make([]int, 2*x.Rank())
	copy(border[2:], pads[:k])
	copy(border[x.Rank()+2:], pads[k:])
	x = b.Op("Pad", nil, x, b.List(border...))
	return b.Op("Conv", attrs{"dilations": legalise.Ints(t.dilation...), "group": int64(group)}, x, mirrored(b, w, group))
}

// mirrored turns w [C, M/g, k…] into [M, C/g, k…], reversed along each k.
func mirrored(b *builder, w *value, group int) *value {
	c, m := w.Dims[0], w.Dims[1]
	dims := append([]int{group, c / group, m}, w.Dims[2:]...)
	perm := append([]int{0, 2, 1}, iota0(len(dims))[3:]...)
	out := append([]int{group * m, c / group}, w.Dims[2:]...)
	w = b.Reshape(b.Transpose(b.Reshape(w, dims...), perm...), out...)
	for i, d := range w.Dims[2:] {
		back := iota0(d)
		slices.Reverse(back)
		w = b.Op("Gather", attrs{"axis": int64(2 + i)}, w, b.List(back...))
	}
	return w
}
