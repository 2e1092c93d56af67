package models

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models/layers"
	"wsss/models/onnxwrite"
)

// smaller are the scales that MSC adds (docs/sources.md §8.1), in the order of the
// logits in training.
var smaller = []float64{0.5, 0.75}

// multiScale is MSC around a network: it sees images at several scales, and its map
// is the greatest logit of all of them, of the first one's size. In training it
// gives the map of each scale, too, each of which has a loss.
type multiScale struct {
	Segmenter
	byFactor bool // images are sampled by their scale, not by their size
}

// AtScales puts MSC around a network where a [train] table wants it: see
// NewSegmenter.
func AtScales(net Segmenter, t configs.Train) (Segmenter, error) {
	if !t.MSC {
		return net, nil
	}
	_, learner := net.(Learner)
	if _, taught := net.(Taught); learner || taught {
		return nil, fmt.Errorf("train.network.msc = true: train.network.arch = %q learns by a loss of its own, which has no use for several scales", t.Arch)
	}
	return multiScale{net, t.MSCGrid == "factor"}, nil
}

// Unwrap is for As.
func (m multiScale) Unwrap() Segmenter { return m.Segmenter }

// Logits is Segmenter's: the maps of the images ×1, ×0.5 and ×0.75 and their
// maximum; unless training the maximum alone.
func (m multiScale) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	first := m.Segmenter.Logits(scope, images, training)[0]
	all, best := []*Node{first}, first
	for _, s := range smaller {
		logits := m.Segmenter.Logits(scope, m.shrunk(images, s), training)[0]
		all = append(all, logits)
		best = Max(best, layers.Resize(logits, first.Shape().Dim(1), first.Shape().Dim(2), false))
	}
	if !training {
		return []*Node{best}
	}
	return append(all, best)
}

// shrunk are images at one of the smaller scales.
func (m multiScale) shrunk(images *Node, s float64) *Node {
	h, w := scaled(images.Shape().Dim(1), s), scaled(images.Shape().Dim(2), s)
	if m.byFactor {
		return layers.ResizeBy(images, h, w, s)
	}
	return layers.Resize(images, h, w, false)
}

// OnCanvas is CanvasSegmenter's.
func (m multiScale) OnCanvas() bool {
	on, ok := m.Segmenter.(CanvasSegmenter)
	return ok && on.OnCanvas()
}

// LogitsWithin is CanvasSegmenter's.
func (m multiScale) LogitsWithin(scope *model.Scope, images, size *Node) (logits, logitsSize *Node) {
	on := m.Segmenter.(CanvasSegmenter)
	first, firstSize := on.LogitsWithin(scope, images, size)
	best := first
	for _, s := range smaller {
		within := layers.Within{From: size, To: Floor(MulScalar(size, s))}
		if m.byFactor {
			within.Scale = s
		}
		small := layers.ResizeWithin(images, scaled(images.Shape().Dim(1), s), scaled(images.Shape().Dim(2), s), within)
		logits, size := on.LogitsWithin(scope, small, within.To)
		logits = layers.ResizeWithin(logits, first.Shape().Dim(1), first.Shape().Dim(2), layers.Within{From: size, To: firstSize})
		best = Max(best, logits)
	}
	return best, firstSize
}

// ONNX is ONNXWriter's.
func (m multiScale) ONNX(b *onnxwrite.Builder, images onnxwrite.Value) (logits onnxwrite.Value, whole bool, err error) {
	w, ok := m.Segmenter.(ONNXWriter)
	if !ok {
		return "", false, ErrNoONNX
	}
	first, whole, err := w.ONNX(b, images)
	if err != nil {
		return "", false, err
	}
	best := first
	for _, s := range smaller {
		var small onnxwrite.Value
		if m.byFactor {
			small = b.ResizeBy(images, float32(s))
		} else {
			small = b.Resize(images, b.Scaled(images, float32(s)))
		}
		logits, _, err := w.ONNX(b, small)
		if err != nil {
			return "", false, err
		}
		best = b.Op("Max", []onnxwrite.Value{best, b.Resize(logits, b.Size(first))})
	}
	return best, whole, b.Err()
}

// scaled rounds down, as PyTorch's interpolate.
func scaled(n int, s float64) int { return int(math.Floor(float64(n) * s)) }
