package mask2former

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// points are where masks are compared: columns and rows as fractions of the
// image.
type points struct {
	match *Node // [predictions, points, 2]: for all masks, to match them
	masks *Node // [predictions, objects, drawn+rest, 2]: for each object, to choose from, and the rest
}

// counts are the points of a mask: drawn, the most uncertain ones that are chosen
// of them, and those beside them.
func (n *network) counts() (drawn, uncertain, rest int) {
	uncertain = int(n.Importance * float64(n.Points))
	if uncertain == 0 {
		return 0, 0, n.Points
	}
	return int(float64(n.Points) * n.Oversample), uncertain, n.Points - uncertain
}

// draw makes points from the store's random numbers.
func (n *network) draw(scope *model.Scope, g *Graph, predictions, places int) points {
	drawn, _, rest := n.counts()
	return points{
		match: scope.RandomUniform(g, shapes.Make(dtypes.Float32, predictions, n.Points, 2)),
		masks: scope.RandomUniform(g, shapes.Make(dtypes.Float32, predictions, places, drawn+rest, 2)),
	}
}

// sampler reads maps of a height and a width at points.
type sampler struct {
	index  [4]*Node // of the pixels about each point, int32, of the shape of the points
	weight [4]*Node
}

// newSampler is for points [..., 2]. start is the number of the first pixel of
// the map that they lie in, int32 that can be broadcast to [...].
func newSampler(at *Node, h, w int, start *Node) sampler {
	g := at.Graph()
	dims := at.Shape().Dimensions
	dims = dims[:len(dims)-1]
	part := func(i, length int) *Node {
		x := Reshape(Slice(at, AxisRange().Spacer(), AxisElem(i)), dims...)
		return AddScalar(MulScalar(x, float64(length)), -0.5)
	}
	number := func(n int) *Node { return Scalar(g, dtypes.Float32, n) }
	var s sampler
	for i, c := range corners(part(1, h), part(0, w), number(h), number(w)) {
		s.index[i] = Add(ConvertDType(c.index, dtypes.Int32), start)
		s.weight[i] = StopGradient(c.weight)
	}
	return s
}

// read is the weighted sum of f of the four pixels, of values by number [pixels,
// width]: [points ..., width].
func (s sampler) read(values *Node, f func(corner int, v *Node) *Node) (sum *Node) {
	dims := s.index[0].Shape().Dimensions
	for i, index := range s.index {
		v := Gather(values, Reshape(index, index.Shape().Size(), 1))
		v = f(i, Reshape(v, append(append([]int{}, dims...), values.Shape().Dim(1))...))
		if sum == nil {
			sum = v
		} else {
			sum = Add(sum, v)
		}
	}
	return sum
}

// bilinear is the value at each point, [points ..., width].
func (s sampler) bilinear(values *Node) *Node {
	return s.read(values, func(i int, v *Node) *Node { return Mul(v, InsertAxes(s.weight[i], -1)) })
}

// starts are the numbers of the first pixels of n maps of a size, repeated in
// order so many times: int32 [times·n] in the given shape.
func starts(g *Graph, n, pixels, times int, dims ...int) *Node {
	flat := make([]int32, 0, times*n)
	for range times {
		for i := range n {
			flat = append(flat, int32(i*pixels))
		}
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(flat, dims...))
}

// chosen is 1 at the count lowest values of the last axis of x >= 0, else 0; equal
// ones may be more.
func chosen(x *Node, count int) *Node {
	x = StopGradient(x)
	g := x.Graph()
	high := ReduceAndKeep(x, ReduceMax, -1)
	low := ZerosLike(high)
	enough := Scalar(g, dtypes.Float32, float64(count)-0.5)
	within := func(limit *Node) *Node {
		return ConvertDType(LessOrEqual(x, BroadcastToDims(limit, x.Shape().Dimensions...)), dtypes.Float32)
	}
	const digits = 30 // beyond those of float32
	for range digits {
		middle := MulScalar(Add(low, high), 0.5)
		many := GreaterThan(ReduceAndKeep(within(middle), ReduceSum, -1), enough)
		high, low = Where(many, middle, high), Where(many, low, middle)
	}
	return StopGradient(within(high))
}
