package train

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas

	"wsss/data"
)

// CrossEntropy is the mean over labelled pixels of −log softmax(logits)[label],
// PyTorch's CrossEntropyLoss with ignore_index 255, except that a batch
// without a labelled pixel costs 0 instead of NaN. logits are
// [batch, height, width, classes], labels [batch, height, width] of uint8 in
// 0..classes-1 or data.Ignore. It builds a graph and panics on errors.
func CrossEntropy(logits, labels *Node) *Node {
	g := logits.Graph()
	classes := logits.Shape().Dimensions[3]
	target := InsertAxes(ConvertDType(labels, dtypes.Int32), -1)
	// No class has the index 255, so an ignored pixel hits none.
	hit := Equal(target, Iota(g, shapes.Make(dtypes.Int32, 1, 1, 1, classes), 3))
	z := Sub(logits, StopGradient(ReduceAndKeep(logits, ReduceMax, -1)))
	logSum := Log(ReduceSum(Exp(z), -1))
	picked := ReduceSum(Where(hit, z, ZerosLike(z)), -1)
	valid := ConvertDType(NotEqual(labels, Scalar(g, dtypes.Uint8, data.Ignore)), logits.DType())
	cost := Sub(Mul(valid, logSum), picked)
	return Div(sumImage(cost), MaxScalar(sumImage(valid), 1))
}

// sumImage sums [batch, height, width] one axis at a time: float32 keeps more
// digits than in one long sum.
func sumImage(x *Node) *Node {
	for range 3 {
		x = ReduceSum(x, -1)
	}
	return x
}
