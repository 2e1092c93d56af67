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
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	weights := func(from, to int) *Node {
		t := tensors.FromFlatDataAndDimensions(resizeWeights(from, to, alignCorners), to, from)
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

// ResizeWithin scales x [batch, height, width, channels] bilinearly, pixel areas
// aligned, to a size that is known only when the graph runs: [height, width] as
// floats, at most height×width. The result [batch, height, width, channels] has
// it in its upper left corner; what lies beyond repeats the border.
func ResizeWithin(x *Node, height, width int, size *Node) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	x = TransposeAllAxes(Reshape(x, n*h, w, c), 0, 2, 1)
	x = productT(Reshape(x, n*h*c, w), weightsWithin(w, width, Slice(size, AxisElem(1)), x.DType()))
	x = Reshape(TransposeAllAxes(Reshape(x, n*h, c, width), 0, 2, 1), n, h, width*c)
	m := InsertAxes(weightsWithin(h, height, Slice(size, AxisElem(0)), x.DType()), 0)
	m = BroadcastToShape(m, shapes.Make(x.DType(), n, height, h))
	return Reshape(DotGeneral(m, []int{2}, []int{0}, x, []int{1}, []int{0}), n, height, width, c)
}

// weightsWithin is the [to, from] matrix of linear interpolation to size ≤ to
// values: hat functions about where each output lies in the input.
func weightsWithin(from, to int, size *Node, dtype dtypes.DType) *Node {
	g := size.Graph()
	out := Iota(g, shapes.Make(dtypes.Float32, to, from), 0)
	in := Iota(g, shapes.Make(dtypes.Float32, to, from), 1)
	at := AddScalar(Div(MulScalar(AddScalar(out, 0.5), float64(from)), Reshape(size, 1, 1)), -0.5)
	at = ClipScalar(at, 0, float64(from-1))
	return ConvertDType(Max(OneMinus(Abs(Sub(at, in))), ScalarZero(g, dtypes.Float32)), dtype)
}

// resizeWeights is the [to, from] matrix of linear interpolation along one axis.
func resizeWeights(from, to int, alignCorners bool) []float32 {
	m := make([]float32, to*from)
	for i := range to {
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
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
