package layers

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"wsss/models/backend"
)

// SamePad adds the zeros with which a kernel of k pixels gives one pixel for
// every stride of x [batch, height, width, channels], rounded up: TensorFlow's
// padding SAME, whose odd zero lies at the bottom and right. Dilation 0 is 1.
func SamePad(x *Node, k, stride, dilation int) *Node {
	side := func(axis int) (before, after int) {
		n := x.Shape().Dim(axis)
		all := max((ceilDiv(n, stride)-1)*stride+(k-1)*max(dilation, 1)+1-n, 0)
		return all / 2, all - all/2
	}
	var p padding
	p.top, p.bottom = side(1)
	p.left, p.right = side(2)
	return padImage(x, p, 0)
}

// Depthwise convolves each channel of x [batch, height, width, channels] with
// its own kernel, w [kh, kw, 1, channels], and adds bias [channels], nil for
// none. Stride and dilation cannot both exceed 1.
//
// XLA gets its native convolution, as does onnx without a stride, with which it
// lacks what GoMLX would derive, and not of bfloat16. Elsewhere, and in every
// backward pass, the taps are added up, each times its weight per channel: a matrix
// product has nothing to sum here.
func Depthwise(x, w, bias *Node, o ConvOptions) *Node {
	o = o.withDefaults()
	c := x.Shape().Dim(3)
	if d := w.Shape().Dimensions; d[2] != 1 || d[3] != c {
		exceptions.Panicf("layers.Depthwise: kernel %s, x %s: wanted is [kh, kw, 1, %d]", w.Shape(), x.Shape(), c)
	}
	if o.Stride > 1 && o.Dilation > 1 {
		exceptions.Panicf("layers.Depthwise: stride %d with dilation %d: one of them must be 1", o.Stride, o.Dilation)
	}
	x = padImage(x, padding{o.Pad, o.Pad, o.Pad, o.Pad}, 0)
	t := tapsOf(x, w, o)
	var own []*Node
	y := WithGradient([]*Node{x, w}, func(in []*Node) *Node {
		own = in
		if kind := backend.KindOf(x.Graph().Backend()); kind == backend.Go || kind == backend.ONNX && (o.Stride > 1 || x.DType() == dtypes.BFloat16) {
			return t.sum(in[0], in[1])
		}
		conv := Convolve(in[0], in[1]).NoPadding().ChannelGroupCount(c)
		if o.Stride > 1 {
			conv = conv.Strides(o.Stride)
		}
		if o.Dilation > 1 {
			conv = conv.Dilations(o.Dilation)
		}
		return conv.Done()
	}, func(_, dy *Node) []*Node {
		return []*Node{t.gradInput(dy, own[1]), t.gradKernel(own[0], dy)}
	})
	return biasReLU(y, bias, o.ReLU)
}

// depthwiseTaps is the geometry of a depthwise convolution of a padded image.
type depthwiseTaps struct {
	n, h, w, c, kh, kw int
	ho, wo             int // size of the result
	stride, dilation   int
}

func tapsOf(x, w *Node, o ConvOptions) depthwiseTaps {
	t := depthwiseTaps{n: x.Shape().Dim(0), h: x.Shape().Dim(1), w: x.Shape().Dim(2), c: x.Shape().Dim(3),
		kh: w.Shape().Dim(0), kw: w.Shape().Dim(1), stride: o.Stride, dilation: o.Dilation}
	t.ho, t.wo = (t.h-(t.kh-1)*t.dilation-1)/t.stride+1, (t.w-(t.kw-1)*t.dilation-1)/t.stride+1
	if t.ho < 1 || t.wo < 1 || t.h < (t.kh-1)*t.dilation+1 || t.w < (t.kw-1)*t.dilation+1 {
		exceptions.Panicf("layers.Depthwise: image %s is smaller than the kernel %s, dilated %d times", x.Shape(), w.Shape(), t.dilation)
	}
	return t
}

// each calls f with what each tap of the kernel reads, [n, ho, wo, c]. With a
// stride the image is cut into its phases first, so that taps are plain slices.
func (t depthwiseTaps) each(x *Node, f func(k int, tap *Node)) {
	s := t.stride
	if s == 1 {
		for k := range t.kh * t.kw {
			i, j := k/t.kw*t.dilation, k%t.kw*t.dilation
			f(k, Slice(x, AxisRange(), AxisRange(i, i+t.ho), AxisRange(j, j+t.wo), AxisRange()))
		}
		return
	}
	rows, cols := t.ho+(t.kh-1)/s, t.wo+(t.kw-1)/s
	x = padImage(x, padding{bottom: rows*s - t.h, right: cols*s - t.w}, 0)
	x = Reshape(x, t.n, rows, s, cols, s*t.c)
	for k := range t.kh * t.kw {
		i, j := k/t.kw, k%t.kw
		tap := Slice(x, AxisRange(), AxisRange(i/s, i/s+t.ho), AxisElem(i%s), AxisRange(j/s, j/s+t.wo), AxisRange(j%s*t.c, (j%s+1)*t.c))
		f(k, Reshape(tap, t.n, t.ho, t.wo, t.c))
	}
}

// sum is the convolution.
func (t depthwiseTaps) sum(x, w *Node) *Node {
	flat := Reshape(w, t.kh*t.kw, t.c)
	var y *Node
	t.each(x, func(k int, tap *Node) {
		v := mulChannels(tap, Reshape(Slice(flat, AxisElem(k), AxisRange()), t.c))
		if y == nil {
			y = v
		} else {
			y = Add(y, v)
		}
	})
	return y
}

// gradInput is dy, its pixels a stride apart, convolved with the kernel turned
// by 180°.
func (t depthwiseTaps) gradInput(dy, w *Node) *Node {
	if s := t.stride; s > 1 {
		dy = Reshape(dy, t.n, t.ho, 1, t.wo, t.c)
		dy = Pad(dy, ScalarZero(dy.Graph(), dy.DType()), PadAxis{}, PadAxis{}, PadAxis{End: s - 1}, PadAxis{}, PadAxis{End: (s - 1) * t.c})
		dy = Reshape(dy, t.n, t.ho*s, t.wo*s, t.c)
	}
	// What no tap reads behind the last one stays zero.
	reachH, reachW := (t.kh-1)*t.dilation, (t.kw-1)*t.dilation
	dy = padImage(dy, padding{reachH, t.h - dy.Shape().Dim(1), reachW, t.w - dy.Shape().Dim(2)}, 0)
	back := t
	back.stride, back.h, back.w, back.ho, back.wo = 1, t.h+reachH, t.w+reachW, t.h, t.w
	return back.sum(dy, Reverse(w, 0, 1))
}

// gradKernel sums, for each tap, what it read times dy.
func (t depthwiseTaps) gradKernel(x, dy *Node) *Node {
	rows := make([]*Node, t.kh*t.kw)
	t.each(x, func(k int, tap *Node) { rows[k] = Reshape(sumRows(Mul(tap, dy)), 1, t.c) })
	return Reshape(Concatenate(rows, 0), t.kh, t.kw, 1, t.c)
}
