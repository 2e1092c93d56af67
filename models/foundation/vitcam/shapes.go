package vitcam

import (
	"errors"
	"fmt"
	"image"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/onnximport/vit"
)

// errMixed tells of a graph whose values are not of one image each.
var errMixed = errors.New("the network does not keep images apart")

// shape is what is compiled for one grid of patches, on first use.
type shape struct {
	embed     *model.Exec // positions, images → streams, attentions
	cam       *model.Exec // positions, texts, images with streams, targets and masks → maps
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
func (m *Model) shape(grid image.Point) (*shape, error) {
	return m.shapes.Get(grid, func() (*shape, error) {
		s := &shape{positions: m.positions.Resized(grid.X, grid.Y)}
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

// embedGraph returns, of images behind the positions, the streams that enter the
// last block, and the mean attentions among patches, [patches, patches].
func (m *Model) embedGraph(scope *model.Scope, in []*Node) []*Node {
	positions, images := in[0], in[1:]
	n, tokens := len(images), positions.Shape().Dim(-2)
	out := m.embedder.Graph(scope, map[string]*Node{m.tower.Input: join(images, 0), vit.PositionsInput: positions}, nil)
	var sum *Node
	for _, a := range out[1:] {
		if a.Shape().Size()%(n*tokens*tokens) != 0 || a.Shape().Dim(-1) != tokens {
			panic(fmt.Errorf("attention is %s for %d tokens", a.Shape(), tokens))
		}
		if a.Shape().Dim(0)%n != 0 {
			panic(errMixed)
		}
		mean := ReduceMean(Reshape(a, n, -1, tokens, tokens), 1)
		if sum == nil {
			sum = mean
		} else {
			sum = Add(sum, mean)
		}
	}
	mean := Slice(DivScalar(sum, float64(len(out)-1)), AxisRange(), AxisRange(1), AxisRange(1))
	axis := batchAxis(out[0], n, tokens)
	var streams, attentions []*Node
	for i := range n {
		stream := out[0]
		if n > 1 {
			stream = SliceAxis(stream, axis, AxisRange(i, i+1))
		}
		streams, attentions = append(streams, stream), append(attentions, Squeeze(Slice(mean, AxisElem(i)), 0))
	}
	return append(streams, attentions...)
}

// batchAxis is the axis of images in what a transformer makes of n of them,
// [batch, tokens, width] or [tokens, batch, width].
func batchAxis(x *Node, n, tokens int) int {
	d := x.Shape().Dimensions
	switch {
	case len(d) == 3 && d[0] == tokens && d[1] == n:
		return 1
	case n == 1 || len(d) == 3 && d[0] == n && d[1] == tokens:
		return 0
	}
	panic(errMixed)
}

// join puts values of one image each one behind the other.
func join(list []*Node, axis int) *Node {
	if len(list) == 1 {
		return list[0]
	}
	return Concatenate(list, axis)
}

// camInputs are what camGraph takes of each image.
const camInputs = 4

// camGraph returns, of each image, the maps of the classes that the rows of its
// target name, [classes, patches].
func (m *Model) camGraph(scope *model.Scope, in []*Node) []*Node {
	positions, texts, in := in[0], []*Node(nil), in[1:]
	if m.texts != nil {
		texts, in = in[:1], in[1:]
	}
	n, tokens := len(in)/camInputs, positions.Shape().Dim(-2)
	of := func(k, axis int) *Node { // an input of all images
		list := make([]*Node, n)
		for i := range list {
			list[i] = in[camInputs*i+k]
		}
		return join(list, axis)
	}
	out := m.last.Graph(scope, map[string]*Node{m.tower.Input: of(0, 0), vit.PositionsInput: positions, vit.StreamInput: of(1, batchAxis(in[1], 1, tokens))}, nil)
	norm := out[0]
	axis := batchAxis(norm, n, tokens)
	logits := m.logits(Reshape(out[1], n, tokens, -1), texts)
	target, mask := of(2, 0), of(3, 0) // [images · classes, all classes]
	classes := target.Shape().Dim(0) / n
	patches := func(x *Node) *Node { // [images, patches, channels]
		if axis == 1 {
			x = TransposeAllAxes(x, 1, 0, 2)
		}
		return Slice(Reshape(x, n, tokens, -1), AxisRange(), AxisRange(1))
	}
	var maps []*Node
	for k := range classes {
		row := func(x *Node) *Node { return Squeeze(Slice(Reshape(x, n, classes, -1), AxisRange(), AxisElem(k)), 1) }
		score := logits
		if m.opt.Softmax {
			score = Softmax(Add(logits, row(mask)))
		}
		score = ReduceAllSum(Mul(score, row(target))) // images do not see each other
		weights := ReduceMean(patches(Gradient(score, norm)[0]), 1)
		maps = append(maps, ReduceSum(Mul(patches(norm), InsertAxes(weights, 1)), 2))
	}
	cams := Stack(maps, 1)
	cams = Max(cams, ZerosLike(cams))
	each := make([]*Node, n)
	for i := range each {
		each[i] = Squeeze(Slice(cams, AxisElem(i)), 0)
	}
	return each
}

// logits are [images, classes], of rows [images, tokens, width].
func (m *Model) logits(rows *Node, texts []*Node) *Node {
	x := Squeeze(Slice(rows, AxisRange(), AxisElem(0)), 1)
	if !m.opt.ClassToken {
		x = ReduceMean(Slice(rows, AxisRange(), AxisRange(1)), 1)
	}
	if len(texts) == 0 {
		return x
	}
	if x.Shape().Dim(1) != texts[0].Shape().Dim(1) {
		panic(fmt.Errorf("the output of the image model has width %d, the embeddings of words %d: both models must be CLIP's, with projection", x.Shape().Dim(1), texts[0].Shape().Dim(1)))
	}
	x = Div(x, Sqrt(ReduceAndKeep(Square(x), ReduceSum, 1)))
	return MulScalar(ReduceSum(Mul(InsertAxes(texts[0], 0), InsertAxes(x, 1)), 2), float64(m.opt.Scale))
}
