package vitcam

import (
	"fmt"
	"image"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/onnximport/vit"
)

// shape is what is compiled for one grid of patches, on first use.
type shape struct {
	embed     *model.Exec // image, positions → stream, attention
	cam       *model.Exec // image, positions, stream, targets, masks, texts → maps
	positions *tensors.Tensor
}

func (s *shape) free() {
	for _, e := range []*model.Exec{s.embed, s.cam} {
		if e != nil {
			e.Finalize()
		}
	}
	_ = s.positions.FinalizeAll()
}

// shape returns the compiled graphs for a grid of patches.
func (m *Model) shape(w, h int) (*shape, error) {
	return m.shapes.Get(image.Pt(w, h), func() (*shape, error) {
		s := &shape{positions: m.positions.Resized(w, h)}
		var err error
		if s.embed, err = model.NewExec(m.backend, m.store, m.embedGraph); err == nil {
			s.cam, err = model.NewExec(m.backend, m.store, m.camGraph)
		}
		if err != nil {
			s.free()
			return nil, err
		}
		return s, nil
	})
}

// embedGraph returns the stream that enters the last block and the mean
// attention among patches, [patches, patches].
func (m *Model) embedGraph(scope *model.Scope, image, positions *Node) []*Node {
	out := m.embedder.Graph(scope, map[string]*Node{m.tower.Input: image, vit.PositionsInput: positions}, nil)
	tokens := positions.Shape().Dim(-2)
	var sum *Node
	for _, a := range out[1:] {
		if a.Shape().Size()%(tokens*tokens) != 0 || a.Shape().Dim(-1) != tokens {
			panic(fmt.Errorf("attention is %s for %d tokens", a.Shape(), tokens))
		}
		mean := ReduceMean(Reshape(a, -1, tokens, tokens), 0)
		if sum == nil {
			sum = mean
		} else {
			sum = Add(sum, mean)
		}
	}
	mean := DivScalar(sum, float64(len(out)-1))
	return []*Node{out[0], Slice(mean, AxisRange(1), AxisRange(1))}
}

// camGraph returns the maps of the classes that the rows of target name,
// [classes, patches].
func (m *Model) camGraph(scope *model.Scope, in []*Node) []*Node {
	image, positions, stream, target, mask := in[0], in[1], in[2], in[3], in[4]
	out := m.last.Graph(scope, map[string]*Node{m.tower.Input: image, vit.PositionsInput: positions, vit.StreamInput: stream}, nil)
	norm, rows := out[0], out[1]
	tokens := positions.Shape().Dim(-2)
	logits := m.logits(rows, in[5:])
	patches := func(x *Node) *Node { return Slice(Reshape(x, tokens, -1), AxisRange(1)) }
	var maps []*Node
	for k := range target.Shape().Dim(0) {
		row := func(x *Node) *Node { return Squeeze(Slice(x, AxisElem(k)), 0) }
		score := logits
		if m.opt.Softmax {
			score = Softmax(Add(logits, row(mask)))
		}
		score = ReduceAllSum(Mul(score, row(target)))
		weights := ReduceMean(patches(Gradient(score, norm)[0]), 0) // [channels]
		maps = append(maps, ReduceSum(Mul(patches(norm), InsertAxes(weights, 0)), 1))
	}
	cams := Stack(maps, 0)
	return []*Node{Max(cams, ZerosLike(cams))}
}

// logits are [classes], of rows [tokens, width].
func (m *Model) logits(rows *Node, texts []*Node) *Node {
	x := Squeeze(Slice(rows, AxisElem(0)), 0)
	if !m.opt.ClassToken {
		x = ReduceMean(Slice(rows, AxisRange(1)), 0)
	}
	if len(texts) == 0 {
		return x
	}
	if x.Shape().Dim(0) != texts[0].Shape().Dim(1) {
		panic(fmt.Errorf("the output of the image model has width %d, the embeddings of words %d: both models must be CLIP's, with projection", x.Shape().Dim(0), texts[0].Shape().Dim(1)))
	}
	x = Div(x, Sqrt(ReduceAllSum(Square(x))))
	return MulScalar(ReduceSum(Mul(texts[0], InsertAxes(x, 0)), 1), float64(m.opt.Scale))
}
