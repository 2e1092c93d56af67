package layers

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/models/backend"
)

// ConvOptions are the geometry of a convolution; zero values mean 1 for Stride
// and Dilation. Pad zeros are added on all four sides.
type ConvOptions struct {
	Stride, Dilation, Pad int
	ReLU                  bool // apply max(·, 0) to the result
}

func (o ConvOptions) withDefaults() ConvOptions {
	o.Stride = max(o.Stride, 1)
	o.Dilation = max(o.Dilation, 1)
	return o
}

// Conv convolves x [batch, height, width, in] with the kernel w [kh, kw, in,
// out], adds bias [out] (nil for none) and optionally applies ReLU. Stride and
// dilation cannot both exceed 1.
//
// XLA gets its native convolution. Elsewhere the convolution becomes matrix
// products, which are 60–100 times faster than the native one on the go
// backend and the faster choice on onnx too; one of 3×3 pixels goes by tiles
// (winograd) where that is faster still. What is gathered of x is gathered again
// for the backward pass instead of being kept, so memory stays near the size of
// the activations. ONNX Runtime on a GPU convolves by itself, the gradient to x
// too, but has none to the kernel and none with a stride.
func Conv(x, w, bias *Node, o ConvOptions) *Node {
	o = o.withDefaults()
	if o.Stride > 1 && o.Dilation > 1 {
		exceptions.Panicf("layers.Conv: stride %d with dilation %d: one of them must be 1", o.Stride, o.Dilation)
	}
	if got, want := w.Shape().Dim(2), x.Shape().Dim(3); got != want {
		exceptions.Panicf("layers.Conv: kernel %s takes %d channels, x %s has %d", w.Shape(), got, x.Shape(), want)
	}
	if reach := (min(w.Shape().Dim(0), w.Shape().Dim(1)) - 1) * o.Dilation; o.Pad > reach {
		// No engine's gradient allows for padding that a kernel does not reach over.
		x, o.Pad = padImage(x, padding{o.Pad, o.Pad, o.Pad, o.Pad}, 0), 0
	}
	if backend.KindOf(x.Graph().Backend()) == backend.XLA {
		return nativeConv(x, w, bias, o)
	}
	x, w, pad := unstride(x, w, o)
	geo := geometry{kh: w.Shape().Dim(0), kw: w.Shape().Dim(1), dilation: o.Dilation, pad: pad, native: backend.Convolves(x.Graph().Backend(), x.DType())}
	inputs := []*Node{x, w}
	if bias != nil {
		inputs = append(inputs, bias)
	}
	return withGradient(inputs, func(in []*Node) *Node {
		y := geo.forward(in[0], in[1])
		if bias != nil {
			y = addBias(y, in[2])
		}
		if o.ReLU {
			y = MaxScalar(y, 0)
		}
		return y
	}, func(in []*Node) []vjp {
		// The gradient before the ReLU is shared by the three.
		var seen, masked *Node
		before := func(y, dy *Node) *Node {
			if !o.ReLU {
				return dy
			}
			if seen != dy {
				seen, masked = dy, reluGradient(y, dy)
			}
			return masked
		}
		return []vjp{
			func(y, dy *Node) *Node { return geo.gradInput(before(y, dy), in[1], in[0].Shape()) },
			func(y, dy *Node) *Node { return geo.gradKernel(in[0], before(y, dy), in[1].Shape()) },
			func(y, dy *Node) *Node { return sumRows(before(y, dy)) },
		}
	})
}

// nativeConv leaves the lowering to the backend. A kernel that spans an even
// number of pixels gets a row or column of zeros: GoMLX would shift its gradient
// by a pixel.
func nativeConv(x, w, bias *Node, o ConvOptions) *Node {
	pads := [][2]int{{o.Pad, o.Pad}, {o.Pad, o.Pad}}
	var odd [2]int // zeros behind the kernel
	for axis := range odd {
		if odd[axis] = (w.Shape().Dim(axis) - 1) * o.Dilation % 2; odd[axis] > 0 {
			pads[axis][1] += o.Dilation
		}
	}
	if odd != [2]int{} {
		w = Pad(w, ScalarZero(w.Graph(), w.DType()), PadAxis{End: odd[0]}, PadAxis{End: odd[1]}, PadAxis{}, PadAxis{})
	}
	conv := Convolve(x, w).PaddingPerDim(pads)
	if o.Stride > 1 {
		conv = conv.Strides(o.Stride)
	}
	if o.Dilation > 1 {
		conv = conv.Dilations(o.Dilation)
	}
	return biasReLU(conv.Done(), bias, o.ReLU)
}

// biasReLU adds bias [channels], nil for none, to x and applies ReLU if asked.
// The gradient of the bias is summed by sumRows, that of the ReLU is 0 at 0;
// GoMLX's own would be 1 there.
func biasReLU(x, bias *Node, relu bool) *Node {
	if bias == nil && !relu {
		return x
	}
	inputs := []*Node{x}
	if bias != nil {
		inputs = append(inputs, bias)
	}
	return WithGradient(inputs, func(in []*Node) *Node {
		y := in[0]
		if bias != nil {
			y = addBias(y, in[1])
		}
		if relu {
			y = MaxScalar(y, 0)
		}
		return y
	}, func(y, dy *Node) []*Node {
		if relu {
			dy = reluGradient(y, dy)
		}
		if bias == nil {
			return []*Node{dy}
		}
		return []*Node{dy, sumRows(dy)}
	})
}

// padding counts the zeros before and after each image axis.
type padding struct{ top, bottom, left, right int }

// unstride rewrites a strided convolution as one of stride 1: a 1×1 kernel
// reads every stride-th pixel; a larger one runs over the image with each
// stride×stride block of pixels folded into the channels. Everything is
// reshapes, so gradients exist on backends without strided slices.
func unstride(x, w *Node, o ConvOptions) (*Node, *Node, padding) {
	p := padding{o.Pad, o.Pad, o.Pad, o.Pad}
	s := o.Stride
	if s == 1 {
		return x, w, p
	}
	kh, kw, in, out := w.Shape().Dim(0), w.Shape().Dim(1), w.Shape().Dim(2), w.Shape().Dim(3)
	n, h, wd := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	if kh == 1 && kw == 1 && o.Pad == 0 {
		return everyNth(x, s), w, padding{}
	}
	// Output i reads rows i·s … i·s+kh-1 of the padded image: pad the kernel to
	// a multiple of s and the image to the rows that the outputs touch.
	kh2, kw2 := ceilDiv(kh, s), ceilDiv(kw, s)
	ho, wo := (h+2*o.Pad-kh)/s+1, (wd+2*o.Pad-kw)/s+1
	rows, cols := ho-1+kh2, wo-1+kw2
	x = padImage(x, padding{o.Pad, rows*s - h - o.Pad, o.Pad, cols*s - wd - o.Pad}, 0)
	x = TransposeAllAxes(Reshape(x, n, rows, s, cols, s, in), 0, 1, 3, 2, 4, 5)
	x = Reshape(x, n, rows, cols, s*s*in)
	w = Pad(w, ScalarZero(w.Graph(), w.DType()), PadAxis{End: kh2*s - kh}, PadAxis{End: kw2*s - kw}, PadAxis{}, PadAxis{})
	w = TransposeAllAxes(Reshape(w, kh2, s, kw2, s, in, out), 0, 2, 1, 3, 4, 5)
	return x, Reshape(w, kh2, kw2, s*s*in, out), padding{}
}

// everyNth keeps the pixels whose row and column are multiples of s.
func everyNth(x *Node, s int) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	ho, wo := ceilDiv(h, s), ceilDiv(w, s)
	x = padImage(x, padding{bottom: ho*s - h, right: wo*s - w}, 0)
	x = Slice(Reshape(x, n, ho, s, wo, s*c), AxisRange(), AxisRange(), AxisElem(0), AxisRange(), AxisRange(0, c))
	return Reshape(x, n, ho, wo, c)
}

// padImage adds value around the image axes; negative amounts crop.
func padImage(x *Node, p padding, value float64) *Node {
	if p.bottom < 0 || p.right < 0 {
		h, w := x.Shape().Dim(1)+min(p.bottom, 0), x.Shape().Dim(2)+min(p.right, 0)
		x = Slice(x, AxisRange(), AxisRange(0, h), AxisRange(0, w), AxisRange())
		p.bottom, p.right = max(p.bottom, 0), max(p.right, 0)
	}
	if p == (padding{}) {
		return x
	}
	return Pad(x, Scalar(x.Graph(), x.DType(), value), PadAxis{}, PadAxis{Start: p.top, End: p.bottom}, PadAxis{Start: p.left, End: p.right}, PadAxis{})
}

// addBias adds bias [channels] to x [..., channels]. The addition broadcasts: a
// broadcast of its own would be a second array of x's size.
func addBias(x, bias *Node) *Node { return Add(x, ExpandLeftToRank(bias, x.Rank())) }

// reluGradient passes dy where the ReLU's output y is positive.
func reluGradient(y, dy *Node) *Node {
	zero := ScalarZero(y.Graph(), y.DType())
	return Where(GreaterThan(y, zero), dy, zero)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
