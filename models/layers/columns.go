package layers

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
)

// geometry describes a convolution of stride 1 with its kernel size.
type geometry struct {
	kh, kw, dilation int
	pad              padding
	native           bool // the engine has a convolution of its own, but not all gradients of it
}

// outSize is the size of the result for an image of height h and width w.
func (g geometry) outSize(h, w int) (int, int) {
	return h + g.pad.top + g.pad.bottom - (g.kh-1)*g.dilation, w + g.pad.left + g.pad.right - (g.kw-1)*g.dilation
}

// product is the matrix product a·b.
func product(a, b *Node) *Node {
	return DotGeneral(a, []int{1}, nil, b, []int{0}, nil)
}

// productT is a·bᵀ.
func productT(a, b *Node) *Node {
	return DotGeneral(a, []int{1}, nil, b, []int{1}, nil)
}

// flat views [n, h, w, c] as a matrix with one row per pixel.
func flat(x *Node) *Node {
	c := x.Shape().Dim(-1)
	return Reshape(x, x.Shape().Size()/c, c)
}

// columns gathers what each output pixel reads: [n·ho·wo, kh·kw·c], in the
// order of the kernel's rows.
func (g geometry) columns(x *Node) *Node {
	if g.kh*g.kw == 1 && g.pad == (padding{}) {
		return flat(x)
	}
	if backend.KindOf(x.Graph().Backend()) == backend.ONNX {
		return g.gathered(x, false)
	}
	ho, wo := g.outSize(x.Shape().Dim(1), x.Shape().Dim(2))
	x = padImage(x, g.pad, 0)
	taps := make([]*Node, 0, g.kh*g.kw)
	for i := range g.kh {
		for j := range g.kw {
			a, b := i*g.dilation, j*g.dilation
			taps = append(taps, Slice(x, AxisRange(), AxisRange(a, a+ho), AxisRange(b, b+wo), AxisRange()))
		}
	}
	return flat(Concatenate(taps, -1))
}

// gathered is columns as one gathering of pixels, which ONNX Runtime does on
// all cores and without the padded image and the taps as arrays of their own.
// The backward pass asks for again.
func (g geometry) gathered(x *Node, again bool) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	ho, wo := g.outSize(h, w)
	index := make([]int32, 0, n*ho*wo*g.kh*g.kw)
	for at := range n * ho * wo {
		b, i, j := at/(ho*wo), at/wo%ho-g.pad.top, at%wo-g.pad.left
		for tap := range g.kh * g.kw {
			index = append(index, pixel(b, i+tap/g.kw*g.dilation, j+tap%g.kw*g.dilation, h, w))
		}
	}
	return Reshape(pixels(x, index, again), n*ho*wo, g.kh*g.kw*c)
}

// pixel is the number of a pixel in row r and column s of image b, -1 beyond the
// image of h×w.
func pixel(b, r, s, h, w int) int32 {
	if r < 0 || r >= h || s < 0 || s >= w {
		return -1
	}
	return int32((b*h+r)*w + s)
}

// pixels gathers pixels of x by their numbers, zeros for -1: [len(index),
// channels]. It takes index over. The backward pass asks for again: the pixel of
// zeros comes first instead of last, for engines would recognise what the forward
// pass has gathered and keep it, which gathering again is to avoid.
func pixels(x *Node, index []int32, again bool) *Node {
	c := x.Shape().Dim(-1)
	zero, first := int32(x.Shape().Size()/c), int32(0) // rows of the pixel of zeros and of the first pixel
	parts := []*Node{flat(x), Zeros(x.Graph(), shapes.Make(x.DType(), 1, c))}
	if again {
		zero, first = 0, 1
		parts[0], parts[1] = parts[1], parts[0]
	}
	for i, k := range index {
		if k < 0 {
			index[i] = zero
		} else {
			index[i] = first + k
		}
	}
	return gatherRows(Concatenate(parts, 0), index)
}

// gatherRows are the rows of x of these numbers.
func gatherRows(x *Node, rows []int32) *Node {
	return Gather(x, ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(rows, len(rows), 1)))
}

// narrows tells that the result has so few channels that moving the kernel's
// products about is cheaper than moving the input: DeepLab-v2's head, whose
// columns would be 18,432 wide, is the case that matters.
func (g geometry) narrows(in, out int) bool {
	return g.kh*g.kw > 1 && 2*out <= in
}

// forward is the convolution as one matrix product, by tiles, or the engine's own.
func (g geometry) forward(x, w *Node) *Node {
	if g.native && g.kh*g.kw > 1 {
		return Convolve(x, w).PaddingPerDim([][2]int{{g.pad.top, g.pad.bottom}, {g.pad.left, g.pad.right}}).Dilations(g.dilation).Done()
	}
	if t, ok := g.winograd(x.Shape(), w.Shape().Dim(2), w.Shape().Dim(3)); ok {
		return t.forward(x, w, false)
	}
	if g.narrows(w.Shape().Dim(2), w.Shape().Dim(3)) {
		return g.forwardNarrow(x, w)
	}
	out := w.Shape().Dim(3)
	ho, wo := g.outSize(x.Shape().Dim(1), x.Shape().Dim(2))
	return Reshape(product(g.columns(x), Reshape(w, -1, out)), x.Shape().Dim(0), ho, wo, out)
}

// forwardNarrow multiplies every pixel by every tap of the kernel first, and
// then adds up the products where the taps meet.
func (g geometry) forwardNarrow(x, w *Node) *Node {
	n, h, wd, in, out := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3), w.Shape().Dim(3)
	ho, wo := g.outSize(h, wd)
	taps := g.kh * g.kw
	byPixel := TransposeAllAxes(Reshape(w, taps, in, out), 1, 0, 2)
	z := Reshape(product(flat(x), Reshape(byPixel, in, taps*out)), n, h, wd, taps*out)
	z = padImage(z, g.pad, 0)
	var sum *Node
	for k := range taps {
		a, b := k/g.kw*g.dilation, k%g.kw*g.dilation
		tap := Slice(z, AxisRange(), AxisRange(a, a+ho), AxisRange(b, b+wo), AxisRange(k*out, k*out+out))
		if sum == nil {
			sum = tap
		} else {
			sum = Add(sum, tap)
		}
	}
	return sum
}

// gradInput is the gradient of x: dy convolved with the kernel turned by 180°.
func (g geometry) gradInput(dy, w *Node, x shapes.Shape) *Node {
	in, out := w.Shape().Dim(2), w.Shape().Dim(3)
	if g.kh*g.kw == 1 && g.pad == (padding{}) {
		return ReshapeWithShape(productT(flat(dy), Reshape(w, in, out)), x)
	}
	if t, ok := g.back().winograd(dy.Shape(), out, in); ok {
		return t.forward(dy, w, true)
	}
	turned := TransposeAllAxes(Reverse(w, 0, 1), 0, 1, 3, 2)
	return g.back().forward(dy, turned)
}

// back is the geometry that leads from the result to the input.
func (g geometry) back() geometry {
	dh, dw := (g.kh-1)*g.dilation, (g.kw-1)*g.dilation
	g.pad = padding{dh - g.pad.top, dh - g.pad.bottom, dw - g.pad.left, dw - g.pad.right}
	return g
}

// gradKernel is the gradient of w: columns(x)ᵀ·dy. The transposed columns are
// cut from the transposed image, so that only the image is transposed, not the
// columns, which are kh·kw times larger.
func (g geometry) gradKernel(x, dy *Node, w shapes.Shape) *Node {
	if t, ok := g.winograd(x.Shape(), w.Dim(2), w.Dim(3)); ok {
		return t.gradKernel(x, dy, w)
	}
	if g.narrows(w.Dim(2), w.Dim(3)) {
		// The columns of dy, kernel turned, are the narrower ones.
		d := product(Transpose(flat(x), 0, 1), g.back().columns(dy))
		d = TransposeAllAxes(Reshape(d, w.Dim(2), g.kh, g.kw, w.Dim(3)), 1, 2, 0, 3)
		return Reverse(d, 0, 1)
	}
	if g.kh*g.kw == 1 && g.pad == (padding{}) && w.Dim(3) < w.Dim(2) {
		// (dyᵀ·x)ᵀ transposes the narrower of the two, and the small result.
		return ReshapeWithShape(Transpose(product(Transpose(flat(dy), 0, 1), flat(x)), 0, 1), w)
	}
	if g.kh*g.kw > 1 && backend.KindOf(x.Graph().Backend()) == backend.ONNX {
		d := product(Transpose(flat(dy), 0, 1), g.gathered(x, true))
		return ReshapeWithShape(Transpose(d, 0, 1), w)
	}
	n, c := x.Shape().Dim(0), x.Shape().Dim(3)
	ho, wo := dy.Shape().Dim(1), dy.Shape().Dim(2)
	if g.pad != (padding{}) {
		// Behind a barrier, for the go backend would keep the padded image of the
		// forward pass, which is the same.
		x = padImage(OptimizationBarrier(x), g.pad, 0)
	}
	h, wd := x.Shape().Dim(1), x.Shape().Dim(2)
	xt := Reshape(Transpose(Reshape(x, n*h*wd, c), 0, 1), c, n, h, wd)
	taps := make([]*Node, 0, g.kh*g.kw)
	for i := range g.kh {
		for j := range g.kw {
			a, b := i*g.dilation, j*g.dilation
			tap := xt
			if ho != h || wo != wd {
				tap = Slice(xt, AxisRange(), AxisRange(), AxisRange(a, a+ho), AxisRange(b, b+wo))
			}
			taps = append(taps, tap)
		}
	}
	ct := taps[0]
	if len(taps) > 1 {
		ct = Concatenate(taps, 0)
	}
	return ReshapeWithShape(product(Reshape(ct, g.kh*g.kw*c, n*ho*wo), flat(dy)), w)
}
