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
	g := x.Graph()
	weights := func(from, to int) *Node {
		t := tensors.FromFlatDataAndDimensions(resizeWeights(from, to, alignCorners), to, from)
		return ConvertDType(ConstTensor(g, t), x.DType())
	}
	// Per image and axis: rows first, [to, from]·[from, w·c].
	if height != h {
		m := BroadcastToShape(InsertAxes(weights(h, height), 0), shapes.Make(x.DType(), n, height, h))
		x = Reshape(DotGeneral(m, []int{2}, []int{0}, Reshape(x, n, h, w*c), []int{1}, []int{0}), n, height, w, c)
	}
	if width != w {
		m := BroadcastToShape(InsertAxes(weights(w, width), 0), shapes.Make(x.DType(), n*height, width, w))
		x = Reshape(DotGeneral(m, []int{2}, []int{0}, Reshape(x, n*height, w, c), []int{1}, []int{0}), n, height, width, c)
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
