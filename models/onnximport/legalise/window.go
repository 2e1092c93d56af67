package legalise

import (
	"slices"
)

// Window is the geometry of a convolution or pooling.
type Window struct{ Kernel, Stride, Dilation, Pads, Out []int }

// WindowOf reads kernel, strides, dilations and pads for spatial input dims,
// and infers the output's. auto_pad and ceil_mode are resolved into pads.
func WindowOf(n *Node, spatial, kernel []int) Window {
	k := len(spatial)
	w := Window{kernel, ints(n, "strides", k, 1), ints(n, "dilations", k, 1), ints(n, "pads", 2*k, 0), make([]int, k)}
	auto := n.Str("auto_pad", "NOTSET")
	for i := range k {
		extent := (w.Kernel[i]-1)*w.Dilation[i] + 1
		if max(w.Kernel[i], w.Stride[i], w.Dilation[i], w.Pads[i], w.Pads[k+i]) > 1<<31 || w.Kernel[i] < 1 || w.Stride[i] < 1 || w.Dilation[i] < 1 || w.Pads[i] < 0 || w.Pads[k+i] < 0 || extent > 1<<31 || w.Pads[i]+w.Pads[k+i] > 1<<31 {
			failf("kernel %v, strides %v, dilations %v, pads %v", w.Kernel, w.Stride, w.Dilation, w.Pads)
		}
		switch auto {
		case "NOTSET":
		case "VALID":
			w.Pads[i], w.Pads[k+i] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			out := (spatial[i] + w.Stride[i] - 1) / w.Stride[i]
			total := max(0, (out-1)*w.Stride[i]+extent-spatial[i])
			w.Pads[i], w.Pads[k+i] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				w.Pads[i], w.Pads[k+i] = w.Pads[k+i], w.Pads[i]
			}
		default:
			failf("auto_pad %q", auto)
		}
		span := spatial[i] + w.Pads[i] + w.Pads[k+i] - extent
		if span < 0 {
			failf("a window of %d over %d", extent, spatial[i]+w.Pads[i]+w.Pads[k+i])
		}
		w.Out[i] = span/w.Stride[i] + 1
		// ceil_mode: one more window, unless it would start in the padding.
		if n.Int("ceil_mode", 0) != 0 && span%w.Stride[i] != 0 && w.Out[i]*w.Stride[i] < spatial[i]+w.Pads[i] {
			w.Pads[k+i] += w.Stride[i] - span%w.Stride[i]
			w.Out[i]++
		}
	}
	return w
}

func ints(n *Node, name string, k, def int) []int {
	v := n.Ints(name)
	if v == nil {
		v = slices.Repeat([]int{def}, k)
	}
	if len(v) != k {
		failf("%s %v, %d needed", name, v, k)
	}
	return v
}

func inferConv(b *Builder, n *Node) []*Value {
	need(n, 2)
	x, w := n.In[0], n.In[1]
	group := n.Int("group", 1)
	if x.Rank() < 3 || w.Rank() != x.Rank() || group < 1 || w.Dims[1]*group != x.Dims[1] || w.Dims[0]%group != 0 {
		failf("input %v, weights %v, %d groups", x.Dims, w.Dims, group)
	}
	win := WindowOf(n, x.Dims[2:], w.Dims[2:])
	return like(x.DType, append([]int{x.Dims[0], w.Dims[0]}, win.Out...)...)
}

func inferPool(b *Builder, n *Node) []*Value {
	need(n, 1)
	x := n.In[0]
	if x.Rank() < 3 || len(n.Ints("kernel_shape")) != x.Rank()-2 {
		failf("input %v, kernel %v", x.Dims, n.Ints("kernel_shape"))
	}
	win := WindowOf(n, x.Dims[2:], n.Ints("kernel_shape"))
	return like(x.DType, append(slices.Clone(x.Dims[:2]), win.Out...)...)
}
