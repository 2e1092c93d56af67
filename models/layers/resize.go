package layers

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Resize scales x [batch, height, width, channels] bilinearly to height×width,
// with the pixel grid of PyTorch's interpolate: corners aligned, or pixel areas
// aligned when alignCorners is false. It is a product with a constant weight
// matrix per axis, so its gradient is exact for every size.
func Resize(x *Node, height, width int, alignCorners bool) *Node {
	return resize(x, height, width, func(from, to int) []float32 { return resizeWeights(from, to, alignCorners, 0) })
}

// ResizeBy is Resize, pixel areas aligned, where neighbours of the result lie
// 1/scale pixels apart, whatever the sizes: as PyTorch's interpolate since version
// 1.6 where it is given a scale_factor. Without it they lie the ratio of the sizes
// apart; the last pixel then differs by size − ⌊size·scale⌋/scale pixels.
func ResizeBy(x *Node, height, width int, scale float64) *Node {
	return resize(x, height, width, func(from, to int) []float32 { return resizeWeights(from, to, false, scale) })
}

func resize(x *Node, height, width int, matrix func(from, to int) []float32) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	weights := func(from, to int) *Node {
		t := tensors.FromFlatDataAndDimensions(matrix(from, to), to, from)
		return ConvertDType(ConstTensor(x.Graph(), t), x.DType())
	}
	// Along the rows first, while there are few of them, in one product; a
	// product per row would be far too small to be fast.
	if width != w {
		x = TransposeAllAxes(Reshape(x, n*h, w, c), 0, 2, 1)
		x = productT(Reshape(x, n*h*c, w), weights(w, width))
		x = Reshape(TransposeAllAxes(Reshape(x, n*h, c, width), 0, 2, 1), n, h, width, c)
	}
	if height != h { // per image, [to, from]·[from, width·c]
		m := BroadcastToShape(InsertAxes(weights(h, height), 0), shapes.Make(x.DType(), n, height, h))
		x = Reshape(DotGeneral(m, []int{2}, []int{0}, Reshape(x, n, h, width*c), []int{1}, []int{0}), n, height, width, c)
	}
	return x
}

// Within are sizes that are known only when a graph runs, [height, width] as
// float32, or those of each image, [batch, 2]: of what lies in the upper left
// corner of an array.
type Within struct {
	From *Node // of the input; nil = all of it
	To   *Node // of the result, at most the array's

	AlignCorners bool
	Scale        float64 // as of ResizeBy; 0 = the ratio of the sizes
	Mirror       bool    // the result is mirrored, left to right
}

// ResizeWithin scales x [batch, height, width, channels] bilinearly. The result
// [batch, height, width, channels] has its size in its upper left corner; what
// lies beyond repeats the border.
func ResizeWithin(x *Node, height, width int, o Within) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	x = TransposeAllAxes(Reshape(x, n*h, w, c), 0, 2, 1)
	if across := o.weights(1, w, width, x.DType()); across.Shape().Dim(0) == 1 {
		x = productT(Reshape(x, n*h*c, w), Reshape(across, width, w))
	} else {
		x = DotGeneral(Reshape(x, n, h*c, w), []int{2}, []int{0}, across, []int{2}, []int{0})
	}
	x = Reshape(TransposeAllAxes(Reshape(x, n*h, c, width), 0, 2, 1), n, h, width*c)
	m := BroadcastToDims(o.weights(0, h, height, x.DType()), n, height, h)
	return Reshape(DotGeneral(m, []int{2}, []int{0}, x, []int{1}, []int{0}), n, height, width, c)
}

// weights is the matrix of linear interpolation along an axis of the images,
// [1, to, from], or of each [batch, to, from]: hat functions about where each
// output lies in the input.
func (o Within) weights(axis, from, to int, dtype dtypes.DType) *Node {
	g := o.To.Graph()
	size, given := side(o.To, axis, 3), Scalar(g, dtypes.Float32, float64(from))
	if o.From != nil {
		given = side(o.From, axis, 3)
	}
	shape := shapes.Make(dtypes.Float32, 1, to, from)
	out, in := Iota(g, shape, 1), Iota(g, shape, 2)
	if o.Mirror && axis == 1 {
		out = Sub(AddScalar(size, -1), out)
	}
	last := AddScalar(given, -1)
	at := AddScalar(Div(Mul(AddScalar(out, 0.5), given), size), -0.5)
	if o.Scale > 0 {
		at = AddScalar(MulScalar(AddScalar(out, 0.5), 1/o.Scale), -0.5)
	}
	if o.AlignCorners {
		at = Div(Mul(out, last), MaxScalar(AddScalar(size, -1), 1))
	}
	at = Min(MaxScalar(at, 0), last)
	return ConvertDType(Max(OneMinus(Abs(Sub(at, in))), ScalarZero(g, dtypes.Float32)), dtype)
}

// resizeWeights is the [to, from] matrix of linear interpolation along one axis.
// With a scale, neighbours lie 1/scale apart, whatever the lengths.
func resizeWeights(from, to int, alignCorners bool, scale float64) []float32 {
	m := make([]float32, to*from)
	for i := range to {
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		if scale > 0 {
			at = (float64(i)+0.5)/scale - 0.5
		}
		if alignCorners {
			at = 0
			if to > 1 {
				at = float64(i) * float64(from-1) / float64(to-1)
			}
		}
		at = max(at, 0)
		lo := min(int(math.Floor(at)), from-1)
		hi := min(lo+1, from-1)
		f := float32(at - float64(lo))
		m[i*from+lo] += 1 - f
		m[i*from+hi] += f
	}
	return m
}
