package layers

import (
	"math"

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
