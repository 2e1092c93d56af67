package train

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas

	"wsss/configs"
	"wsss/data"
	"wsss/models/layers"
)

// Loss is cross-entropy per pixel, with what makes it robust against wrong
// labels. The zero value is plain cross-entropy.
type Loss struct {
	// Bootstrap is the share of the network's own opinion in the target: the
	// class of its highest logit (hard bootstrapping). 0 = labels only.
	Bootstrap float64
	// Clip bounds the loss of one pixel: pixels beyond it, whose labels the
	// network thinks wrong, have no gradient. 0 = no bound.
	Clip float64
	// Correct is the probability from which on the network's own class takes the
	// place of a label. 0 = never.
	Correct float64
	// Warmup counts the first updates, in which none of these acts: until the network
	// has learnt something, its opinion is worth nothing and every label is a
	// surprise. 0 = they act from the first update.
	Warmup int
	// ByClass has them act, instead, on the pixels of classes that are learnt
	// (early.Tracker).
	ByClass bool
	// Weights are those of a pixel of each class in the mean; nil = 1.
	Weights []float64
}

// newLoss takes the loss keys of a [train] table.
func newLoss(t configs.Train) Loss {
	l := Loss{Bootstrap: t.Bootstrap, Clip: t.LossClip, Correct: t.Correct}
	if l.Bootstrap > 0 || l.Clip > 0 || l.Correct > 0 {
		l.Warmup, l.ByClass = int(t.NoiseWarmup*float64(t.Iterations)), t.Early > 0
	}
	return l
}

// Moment is when a batch is learnt.
type Moment struct {
	Update  *Node // its number counted from 1, a float32 scalar; only a loss with a Warmup reads it
	Learned *Node // 1 for classes that are learnt, else 0, [classes] of float32; only a loss that is ByClass reads it
}

// Mean is the mean over labelled pixels of −log softmax(logits)[label],
// PyTorch's CrossEntropyLoss with ignore_index 255, except that a batch
// without a labelled pixel costs 0 instead of NaN. logits are
// [batch, height, width, classes], labels [batch, height, width] of uint8 in
// 0..classes-1 or data.Ignore. With Weights it is a weighted mean, as PyTorch's.
// weights, if not nil, are the pixels' weights in
// the mean, [batch, height, width] of float32 >= 0. It builds a graph and panics
// on errors.
func (o Loss) Mean(logits, labels, weights *Node, at Moment) *Node {
	g := logits.Graph()
	target := ConvertDType(labels, dtypes.Int32)
	z, sum := layers.LogSumExp(logits)
	warm := o.warm(z, target, at)
	if o.Correct > 0 {
		// The highest of z is 0, and its probability exp(−sum).
		sure := LessOrEqual(sum, Scalar(g, sum.DType(), -math.Log(o.Correct)))
		target = Where(LogicalAnd(sure, BroadcastToDims(warm, target.Shape().Dimensions...)), own(z), target)
	}
	cost := Sub(sum, o.wanted(z, target, warm))
	if o.Clip > 0 {
		cost = Min(cost, Where(warm, Scalar(g, cost.DType(), o.Clip), Scalar(g, cost.DType(), math.MaxFloat32)))
	}
	valid := ConvertDType(NotEqual(labels, Scalar(g, dtypes.Uint8, data.Ignore)), logits.DType())
	if weights != nil {
		valid = Mul(valid, weights)
	}
	if o.Weights != nil {
		of := Const(g, o.Weights)
		of = BroadcastToShape(Reshape(ConvertDType(of, z.DType()), 1, 1, 1, len(o.Weights)), z.Shape())
		valid = Mul(valid, pick(of, target))
	}
	total, count := sumImage(Mul(valid, cost)), sumImage(valid)
	return Div(total, Where(GreaterThan(count, ScalarZero(g, count.DType())), count, OnesLike(count)))
}

// warm tells where the options against wrong labels act: a scalar, or for each
// pixel [batch, height, width].
func (o Loss) warm(z, target *Node, at Moment) *Node {
	g := z.Graph()
	switch {
	case o.ByClass:
		learned := Reshape(ConvertDType(at.Learned, z.DType()), 1, 1, 1, z.Shape().Dim(3))
		return GreaterThan(pick(BroadcastToShape(learned, z.Shape()), target), Scalar(g, z.DType(), 0.5))
	case o.Warmup > 0:
		return GreaterThan(at.Update, Scalar(g, at.Update.DType(), float64(o.Warmup)))
	}
	return Const(g, true)
}

// own is the class of the highest of z, [batch, height, width] of int32.
func own(z *Node) *Node { return StopGradient(ArgMax(z, -1, dtypes.Int32)) }

// wanted is the logit of the target class, blended with the highest one.
func (o Loss) wanted(z, target, warm *Node) *Node {
	label := pick(z, target)
	if o.Bootstrap == 0 {
		return label
	}
	share := Where(warm, Scalar(z.Graph(), z.DType(), o.Bootstrap), ScalarZero(z.Graph(), z.DType()))
	return Add(Mul(label, OneMinus(share)), Mul(pick(z, own(z)), share))
}

// pick takes z [batch, height, width, classes] at a class per pixel; 0 where
// there is no such class, as for ignored pixels.
func pick(z, class *Node) *Node {
	classes := z.Shape().Dim(3)
	hit := Equal(InsertAxes(class, -1), Iota(z.Graph(), shapes.Make(dtypes.Int32, 1, 1, 1, classes), 3))
	return ReduceSum(Where(hit, z, ZerosLike(z)), -1)
}

// sumImage sums [batch, height, width] one axis at a time: float32 keeps more
// digits than in one long sum.
func sumImage(x *Node) *Node {
	for range 3 {
		x = ReduceSum(x, -1)
	}
	return x
}
