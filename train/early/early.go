// Package early tells when a network has learnt a class and begins to learn the
// wrong labels of the class by heart. Up to there it agrees with ever more of the
// labels, quickly at first; then slowly, as what is left is wrong. The curve of its
// agreement is fitted for each class, which is learnt once the curve's slope has
// fallen by a given share of that after the first pass (Liu et al., "Adaptive
// Early-Learning Correction for Segmentation from Noisy Annotations", CVPR 2022,
// arXiv 2110.03740).
package early

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
)

// kinds are the counts of a class's pixels that agreement takes: those where
// network and label agree on it, the network's, and the labels'.
const kinds = 3

// Counts are those of a batch, [kinds, classes] of float32, of labelled pixels:
// logits are [batch, height, width, classes], labels [batch, height, width] of
// uint8.
func Counts(logits, labels *Node) *Node {
	g, s := logits.Graph(), logits.Shape()
	classes := s.Dim(3)
	class := Iota(g, shapes.Make(dtypes.Int32, 1, 1, 1, classes), 3)
	is := func(label *Node) *Node { return Equal(InsertAxes(label, -1), class) }
	label := is(ConvertDType(labels, dtypes.Int32))
	known := InsertAxes(NotEqual(labels, Scalar(g, dtypes.Uint8, data.Ignore)), -1)
	own := LogicalAnd(is(ArgMax(StopGradient(logits), -1, dtypes.Int32)), BroadcastToDims(known, s.Dimensions...))
	sum := func(x *Node) *Node {
		return Reshape(ReduceSum(ReduceSum(ReduceSum(ConvertDType(x, dtypes.Float32), 2), 1), 0), 1, classes)
	}
	return StopGradient(Concatenate([]*Node{sum(LogicalAnd(own, label)), sum(own), sum(label)}, 0))
}

// leastPoints are those of a curve, which has as many unknowns, before anything is
// read from it. leastIoU is the agreement below which a class counts as not learnt,
// however slowly it grows.
const (
	leastPoints = 3
	leastIoU    = 0.1
)

// Tracker watches a training.
type Tracker struct {
	fall     float64 // the share by which a slope has fallen once a class is learnt
	every    int     // updates between points of the curves
	perEpoch int     // updates of a pass
	classes  int

	counts  []float64 // since the last point, [kinds·classes]
	points  []float64 // of the curves: passes, and the agreement on each class, [points·(1+classes)]
	learned []float32 // 1 for classes that are learnt
}

// unseen is the agreement on a class that neither labels nor network had.
const unseen = -1

// New watches so many classes. fall is in (0, 1); a point is taken every so many
// updates, of which a pass has perEpoch.
func New(fall float64, every, perEpoch, classes int) *Tracker {
	return &Tracker{fall: fall, every: every, perEpoch: perEpoch, classes: classes,
		counts: make([]float64, kinds*classes), learned: make([]float32, classes)}
}

// Learned is 1 for classes that are learnt, else 0; the caller must not change it.
func (t *Tracker) Learned() []float32 { return t.learned }

// Add takes the counts of batches of an update.
func (t *Tracker) Add(counts []float32) {
	for i, v := range counts {
		t.counts[i] += float64(v)
	}
}

// After is called when so many updates are done. Where a point is due, iou is the
// agreement on each class since the last, -1 where it did not occur, and learnt are
// the classes that are learnt from now on.
func (t *Tracker) After(updates int) (iou []float64, learnt []int) {
	if updates%t.every != 0 {
		return nil, nil
	}
	agree, own, label := t.counts[:t.classes], t.counts[t.classes:2*t.classes], t.counts[2*t.classes:]
	for c := range t.classes {
		v := float64(unseen)
		if union := own[c] + label[c] - agree[c]; union > 0 {
			v = agree[c] / union
		}
		iou = append(iou, v)
	}
	clear(t.counts)
	t.points = append(append(t.points, float64(updates)/float64(t.perEpoch)), iou...)
	for c := range t.classes {
		if t.learned[c] == 0 && t.isLearnt(c) {
			t.learned[c] = 1
			learnt = append(learnt, c)
		}
	}
	return iou, learnt
}

func (t *Tracker) isLearnt(class int) bool {
	var at, iou []float64
	for point := range slices.Chunk(t.points, 1+t.classes) {
		if v := point[1+class]; v != unseen {
			at, iou = append(at, point[0]), append(iou, v)
		}
	}
	if len(at) < leastPoints || iou[len(iou)-1] < leastIoU {
		return false
	}
	c := Fit(at, iou)
	first := c.Slope(1)
	return first-c.Slope(at[len(at)-1]) > t.fall*first
}

// Names of what State gives.
const (
	countsName  = "early/counts"
	pointsName  = "early/points"
	learnedName = "early/learned"
)

// State is what a checkpoint keeps.
func (t *Tracker) State() map[string]*tensors.Tensor {
	return map[string]*tensors.Tensor{
		countsName:  tensors.FromFlatDataAndDimensions(t.counts, kinds, t.classes),
		pointsName:  tensors.FromFlatDataAndDimensions(t.points, len(t.points)/(1+t.classes), 1+t.classes),
		learnedName: tensors.FromFlatDataAndDimensions(t.learned, t.classes),
	}
}

// Restore takes what State gave, by its names.
func (t *Tracker) Restore(read func(name string) (*tensors.Tensor, error)) (err error) {
	if t.counts, err = values[float64](read, countsName, kinds*t.classes); err != nil {
		return err
	}
	if t.points, err = values[float64](read, pointsName, 1+t.classes); err != nil {
		return err
	}
	t.learned, err = values[float32](read, learnedName, t.classes)
	return err
}

// values are those of a tensor of some rows of a width.
func values[T float32 | float64](read func(name string) (*tensors.Tensor, error), name string, width int) ([]T, error) {
	x, err := read(name)
	if err != nil {
		return nil, err
	}
	if x.DType() != dtypes.FromGenericsType[T]() || x.Size()%width != 0 || x.Size() == 0 && name != pointsName {
		return nil, fmt.Errorf("tensor %s %s: wanted are rows of %d %s", name, x.Shape(), width, dtypes.FromGenericsType[T]())
	}
	return tensors.CopyFlatData[T](x)
}
