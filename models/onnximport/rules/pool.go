package rules

import (
	"math"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"MaxPool":           maxPool,
		"AveragePool":       averagePool,
		"GlobalAveragePool": global("ReduceMean"),
		"GlobalMaxPool":     global("ReduceMax"),
	})
}

func global(op string) legalise.Rule {
	return func(b *builder, n *node) []*value {
		x := arg(n, 0)
		return one(b.Reduce(op, x, true, iota0(x.Rank())[2:]...))
	}
}

func windowOf(n *node) legalise.Window {
	x := arg(n, 0)
	kernel := n.Ints("kernel_shape")
	if x.Rank() < 3 || len(kernel) != x.Rank()-2 {
		legalise.Failf("input %v, kernel %v", x.Dims, kernel)
	}
	return legalise.WindowOf(n, x.Dims[2:], kernel)
}

// maxPool resolves automatic padding; dilated windows are maxima of slices.
func maxPool(b *builder, n *node) []*value {
	if n.Outs() > 1 {
		legalise.Failf("the output of indices")
	}
	w := windowOf(n)
	if allAre(w.Dilation, 1) {
		n.Attrs = attrs{"kernel_shape": legalise.Ints(w.Kernel...), "strides": legalise.Ints(w.Stride...), "pads": legalise.Ints(w.Pads...)}
		return nil
	}
	x := padSpatial(b, arg(n, 0), w, math.Inf(-1))
	var best *value
	taps(w, func(at []int) {
		v := window(b, x, w, at)
		if best == nil {
			best = v
		} else {
			best = b.Op("Max", nil, best, v)
		}
	})
	return one(best)
}

// averagePool is separable: along each axis a constant matrix.
func averagePool(b *builder, n *node) []*value {
	x, w := arg(n, 0), windowOf(n)
	k := len(w.Kernel)
	explicit := intsOr(n, "pads", 2*k, 0)
	if n.Str("auto_pad", "NOTSET") != "NOTSET" {
		explicit = w.Pads
	}
	for i := range k {
		d, out := x.Dims[2+i], w.Out[i]
		m := table[float64](square(out, d))
		for o := range out {
			from := o*w.Stride[i] - w.Pads[i]
			inside, counted := 0, 0
			for t := range w.Kernel[i] {
				at := from + t*w.Dilation[i]
				if at >= 0 && at < d {
					m[o*d+at]++
					inside++
				}
				if at < d+explicit[k+i] { // windows beyond the padding never count
					counted++
				}
			}
			if n.Int("count_include_pad", 0) == 0 {
				counted = inside
			}
			for at := range d {
				m[o*d+at] /= float64(max(1, counted))
			}
		}
		x = mix(b, x, 2+i, matrix{out, d, m})
	}
	return one(x)
}

// padSpatial pads the spatial axes of x [N, C, …] as w says.
func padSpatial(b *builder, x *value, w legalise.Window, fill float64) *value {
	pads := make([]int, 2*x.Rank())
	k := len(w.Kernel)
	copy(pads[2:], w.Pads[:k])
	copy(pads[x.Rank()+2:], w.Pads[k:])
	return b.Op("Pad", nil, x, b.List(pads...), like(b, x, fill))
}

// maxTaps bounds the size of a window that is spelt out.
const maxTaps = 4096

// taps calls f for every place in the window.
func taps(w legalise.Window, f func(at []int)) {
	if n := prod(w.Kernel); n < 1 || n > maxTaps {
		legalise.Failf("a window of %v", w.Kernel)
	}
	at := make([]int, len(w.Kernel))
	for {
		f(at)
		i := len(at) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < w.Kernel[i] {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// window takes, for one place in the window, the pixel of every window.
func window(b *builder, x *value, w legalise.Window, at []int) *value {
	var starts, ends, axes, steps []int
	for i, s := range w.Stride {
		start := at[i] * w.Dilation[i]
		starts, ends = append(starts, start), append(ends, start+(w.Out[i]-1)*s+1)
		axes, steps = append(axes, 2+i), append(steps, s)
	}
	return b.Op("Slice", nil, x, b.List(starts...), b.List(ends...), b.List(axes...), b.List(steps...))
}
