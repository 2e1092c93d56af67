package sam

import (
	"math/bits"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data"
	"wsss/models/backend"
	"wsss/models/shapecache"
)

// scorer enlarges and measures masks where the decoder ran, so that no logits come
// to the host: of each mask it gets a bit per pixel and two counts. Images share
// graphs by their canvas.
type scorer struct {
	backend compute.Backend
	mu      sync.Mutex // guards graphs and what embeddings keep for it
	graphs  shapecache.Cache[scoring, *model.Exec]
}

// scoring is what a graph is compiled for.
type scoring struct {
	masks, side int // of the decoder's answer
	w, h        int // canvas
	picks       int // masks measured at once
}

// Sides of canvases are multiples of canvasStep; a call holds at most mostPicks
// masks and mostLogits logits.
const (
	canvasStep = 64
	mostPicks  = 32
	mostLogits = 1 << 25
)

func newScorer(b compute.Backend) *scorer {
	return &scorer{backend: b, graphs: shapecache.Cache[scoring, *model.Exec]{Limit: backend.GraphsKept(b, 8), Free: (*model.Exec).Finalize}}
}

// enlarger blends the logits of the square into an image's rows and columns: two
// matrices, [canvas width, low] and [canvas height, low].
type enlarger struct {
	w, h   int // canvas
	xs, ys *tensors.Tensor
}

func (f Frame) enlarger(low int) *enlarger {
	up := func(n int) int { return (n + canvasStep - 1) / canvasStep * canvasStep }
	e := &enlarger{w: up(f.W), h: up(f.H)}
	e.xs = tensors.FromFlatDataAndDimensions(f.matrix(low, f.InW, f.W, e.w), e.w, low)
	e.ys = tensors.FromFlatDataAndDimensions(f.matrix(low, f.InH, f.H, e.h), e.h, low)
	return e
}

func (e *enlarger) free() {
	if e != nil {
		_, _ = e.xs.FinalizeAll(), e.ys.FinalizeAll() // memory only
	}
}

// matrix has Upscale's weights along one axis, [rows, low]; rows from out on are 0.
func (f Frame) matrix(low, in, out, rows int) []float32 {
	m := make([]float32, rows*low)
	if f.Squash {
		t := f.squashTaps(low, out)
		for i, at := range t.index {
			m[i/t.n*low+int(at)] += t.weights[i]
		}
		return m
	}
	first, second := bilinearTaps(low, f.Side, in), bilinearTaps(in, out, out)
	for i, mid := range second.index {
		for k := range first.n {
			m[i/second.n*low+int(first.index[int(mid)*first.n+k])] += second.weights[i] * first.weights[int(mid)*first.n+k]
		}
	}
	return m
}

// power rounds up to a power of two.
func power(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }

// outlines measures masks of one answer.
func (s *scorer) outlines(e *Embedding, from *answer, asked []Asked, offset, least float64) ([]Outline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.enlarge == nil {
		e.enlarge = e.Frame.enlarger(from.side)
	}
	shape := scoring{masks: from.masks, side: from.side, w: e.enlarge.w, h: e.enlarge.h}
	shape.picks = min(mostPicks, power(from.prompts))
	for shape.picks > 1 && shape.picks*shape.w*shape.h > mostLogits {
		shape.picks /= 2
	}
	var list []Outline
	for len(asked) > 0 {
		n := min(shape.picks, len(asked))
		some, err := s.measure(e, from, asked[:n], shape, offset, least)
		if err != nil {
			return nil, err
		}
		list, asked = append(list, some...), asked[n:]
	}
	return list, nil
}

// measure runs the graph for at most shape.picks masks.
func (s *scorer) measure(e *Embedding, from *answer, asked []Asked, shape scoring, offset, least float64) ([]Outline, error) {
	picks, inside := make([]int32, shape.picks), make([]int32, 4*shape.picks)
	for i := range picks {
		a := asked[min(i, len(asked)-1)]
		picks[i] = int32(a.at + a.Mask)
		r := a.inside(e.Frame)
		copy(inside[4*i:], []int32{int32(r.Min.X), int32(r.Min.Y), int32(r.Max.X), int32(r.Max.Y)})
	}
	exec, err := s.graphs.Get(shape, func() (*model.Exec, error) {
		return model.NewExec(s.backend, model.NewStore(), func(_ *model.Scope, in []*Node) []*Node { return shape.graph(in) })
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call(from.tensor, picks, inside, e.enlarge.xs, e.enlarge.ys, float32(offset))
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, t := range out {
			_ = t.FinalizeAll() // memory only
		}
	}()
	counts, err := tensors.CopyFlatData[int32](out[1])
	if err != nil {
		return nil, err
	}
	list := make([]Outline, len(asked))
	wanted := false
	for i := range list {
		list[i].Stability = float32(counts[2*i+1]) / float32(counts[2*i])
		wanted = wanted || list[i].stable(least)
	}
	if !wanted { // the bits need not come
		return list, nil
	}
	stride := shape.h / 8
	err = tensors.ConstFlatData(out[0], func(flat []uint8) {
		for i := range list {
			if list[i].stable(least) {
				list[i].Bits = data.EncodePackedRLE(flat[i*shape.w*stride:], stride, e.W, e.H)
			}
		}
	})
	return list, err
}

// graph computes of [masks, side, side] logits (with axes before), the places of
// picks among them, rectangles, both matrices and the offset: the masks as bits,
// [picks, width, height/8], and how many logits are above -offset and +offset,
// [picks, 2].
func (s scoring) graph(in []*Node) []*Node {
	low, picks, inside, xs, ys, offset := in[0], in[1], in[2], in[3], in[4], in[5]
	g := low.Graph()
	low = Gather(Reshape(low, s.masks, s.side, s.side), Reshape(picks, s.picks, 1))
	wide := DotGeneral(low, []int{2}, nil, xs, []int{1}, nil)    // [picks, side, w]
	logits := DotGeneral(wide, []int{1}, nil, ys, []int{1}, nil) // [picks, w, h]
	full := shapes.Make(dtypes.Int32, s.picks, s.w, s.h)
	edge := func(k int) *Node {
		return BroadcastToDims(Reshape(Slice(Reshape(inside, s.picks, 4), AxisRange(), AxisElem(k)), s.picks, 1, 1), s.picks, s.w, s.h)
	}
	x, y := Iota(g, full, 1), Iota(g, full, 2)
	within := LogicalAnd(LogicalAnd(GreaterOrEqual(x, edge(0)), LessThan(x, edge(2))), LogicalAnd(GreaterOrEqual(y, edge(1)), LessThan(y, edge(3))))
	above := func(limit *Node) *Node {
		return LogicalAnd(within, GreaterThan(logits, BroadcastToDims(limit, s.picks, s.w, s.h)))
	}
	count := func(limit *Node) *Node {
		return Reshape(ReduceSum(ConvertDType(above(limit), dtypes.Int32), 1, 2), s.picks, 1)
	}
	ones := ConvertDType(above(ScalarZero(g, dtypes.Float32)), dtypes.Float32)
	weights := Const(g, []float32{1, 2, 4, 8, 16, 32, 64, 128})
	bytes := ReduceSum(Mul(Reshape(ones, s.picks, s.w, s.h/8, 8), Reshape(weights, 1, 1, 1, 8)), 3)
	return []*Node{ConvertDType(bytes, dtypes.Uint8), Concatenate([]*Node{count(Neg(offset)), count(offset)}, 1)}
}
