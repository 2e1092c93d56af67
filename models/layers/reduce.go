package layers

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"wsss/models/backend"
)

// Sums are products with ones on go and onnx, where matrix products are the one
// reduction that is fast. On XLA they are reductions in float32: those fuse
// with what makes their argument, and no GPU rounds their operands.

// reduces tells whether x's engine sums by reductions.
func reduces(x *Node) bool { return backend.KindOf(x.Graph().Backend()) == backend.XLA }

// sumRows sums x [..., channels] over all but the channels.
func sumRows(x *Node) *Node {
	c := x.Shape().Dim(-1)
	rows := x.Shape().Size() / c
	if !reduces(x) {
		return Reshape(product(Ones(x.Graph(), shapes.Make(x.DType(), 1, rows)), Reshape(x, rows, c)), c)
	}
	axes := make([]int, x.Rank()-1)
	for i := range axes {
		axes[i] = i
	}
	return ConvertDType(ReduceSum(ConvertDType(x, dtypes.Float32), axes...), x.DType())
}

// MeanImage is the mean over the image axes: [batch, h, w, c] to [batch, 1, 1, c].
func MeanImage(x *Node) *Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	if reduces(x) {
		mean := ReduceMean(ConvertDType(x, dtypes.Float32), 1, 2)
		return ConvertDType(Reshape(mean, n, 1, 1, c), x.DType())
	}
	ones := BroadcastToDims(Scalar(x.Graph(), x.DType(), 1/float64(h*w)), n, 1, h*w)
	return Reshape(DotGeneral(ones, []int{2}, []int{0}, Reshape(x, n, h*w, c), []int{1}, []int{0}), n, 1, 1, c)
}

// SumSquares is the sum of the squares of all values of x, a scalar.
func SumSquares(x *Node) *Node {
	if reduces(x) {
		return ReduceAllSum(Square(x))
	}
	x = Reshape(x, x.Shape().Size())
	return DotGeneral(x, []int{0}, nil, x, []int{0}, nil)
}
