package mask2former

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"wsss/configs"
	"wsss/models"
)

// noise is what makes the masks' loss robust against wrong labels, as of
// train.noise for other networks: of the points at which masks are compared.
type noise struct{ bootstrap, clip, correct, warmup float64 }

func newNoise(t configs.Train) noise {
	return noise{t.Bootstrap, t.LossClip, t.Correct, math.Floor(t.NoiseWarmup * float64(t.Iterations))}
}

// acts tells where the options do: a scalar, or for each object, of the classes
// which [predictions, objects, classes], [predictions, objects, 1].
func (o noise) acts(l models.Lesson, which *Node) *Node {
	g := which.Graph()
	switch {
	case l.Learned != nil:
		s := which.Shape()
		learned := Mul(which, BroadcastToDims(Reshape(l.Learned, 1, 1, s.Dim(2)), s.Dimensions...))
		return GreaterThan(ReduceAndKeep(learned, ReduceSum, 2), Scalar(g, dtypes.Float32, 0.5))
	case o.warmup > 0:
		return GreaterThan(l.Update, Scalar(g, l.Update.DType(), o.warmup))
	}
	return Const(g, true)
}

// believed blends the truth at points [predictions, objects, points] with the
// network's own opinion, which takes its place where it is sure.
func (o noise) believed(truth, logits, acts *Node) *Node {
	if o.bootstrap == 0 && o.correct == 0 {
		return truth
	}
	g := logits.Graph()
	zero := ScalarZero(g, dtypes.Float32)
	own := ConvertDType(GreaterThan(StopGradient(logits), zero), truth.DType())
	if o.correct > 0 {
		sure := GreaterOrEqual(Abs(StopGradient(logits)), Scalar(g, dtypes.Float32, math.Log(o.correct/(1-o.correct))))
		truth = Where(LogicalAnd(sure, BroadcastToDims(acts, sure.Shape().Dimensions...)), own, truth)
	}
	if o.bootstrap == 0 {
		return truth
	}
	return Add(truth, Mul(Where(acts, Scalar(g, dtypes.Float32, o.bootstrap), zero), Sub(own, truth)))
}

// bounded leaves out the gradient of points of a higher loss.
func (o noise) bounded(cost, acts *Node) *Node {
	if o.clip == 0 {
		return cost
	}
	g := cost.Graph()
	return Min(cost, Where(acts, Scalar(g, dtypes.Float32, o.clip), Scalar(g, dtypes.Float32, math.MaxFloat32)))
}
