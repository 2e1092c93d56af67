package mask2former

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// points are where masks are compared: columns, then rows, as fractions of the
// image from 0 to below 1.
type points struct {
	match *Node // [2, predictions, points]: for all masks, to match them
	masks *Node // [2, predictions, objects, drawn+rest]: for each object, to choose from, and the rest
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
		match: scope.RandomUniform(g, shapes.Make(dtypes.Float32, 2, predictions, n.Points)),
		masks: scope.RandomUniform(g, shapes.Make(dtypes.Float32, 2, predictions, places, drawn+rest)),
	}
}

// onMap are the places of points [2, ...] on maps of a height and a width, in
// pixels: [...] each.
func onMap(at *Node, h, w int) (y, x *Node) {
	part := func(i, length int) *Node {
		x := Reshape(Slice(at, AxisElem(i)), at.Shape().Dimensions[1:]...)
		return AddScalar(MulScalar(x, float64(length)), -0.5)
	}
	return part(1, h), part(0, w)
}

// sampler reads rows of many numbers, one per pixel of its maps, at points.
type sampler struct {
	index  [4]*Node // of the pixels about each point, int32, of the shape of the points
	weight [4]*Node
}

// newSampler is for points [2, ...]. start is the number of the first pixel of
// the map that they lie in, int32 that can be broadcast to [...].
func newSampler(at *Node, h, w int, start *Node) sampler {
	g := at.Graph()
	y, x := onMap(at, h, w)
	number := func(n int) *Node { return Scalar(g, dtypes.Float32, n) }
	var s sampler
	for i, c := range corners(y, x, number(h), number(w)) {
		s.index[i] = Add(ConvertDType(c.index, dtypes.Int32), start)
		s.weight[i] = StopGradient(c.weight)
	}
	return s
}

// bilinear is the value at each point, [points ..., width], of values by number
// [pixels, width].
func (s sampler) bilinear(values *Node) (sum *Node) {
	dims := s.index[0].Shape().Dimensions
	for i, index := range s.index {
		v := Gather(values, Reshape(index, index.Shape().Size(), 1))
		v = Reshape(v, append(append([]int{}, dims...), values.Shape().Dim(1))...)
		v = Mul(v, InsertAxes(s.weight[i], -1))
		if sum == nil {
			sum = v
		} else {
			sum = Add(sum, v)
		}
	}
	return sum
}

// quads reads maps of one number per pixel at points, by tables whose rows are
// the four pixels about a place: one row is read for each point, not four.
type quads struct {
	row    *Node // of the table, int32 [points, 1]
	weight *Node // of the pixels, [4, ...]
}

// newQuads is for points [2, ...] of maps of a height and a width, of which number
// is the place in the table, int32 that can be broadcast to [...].
func newQuads(at *Node, h, w int, number *Node) quads {
	y, x := onMap(at, h, w)
	top, left := Floor(y), Floor(x) // from −1 on
	row := ConvertDType(AddScalar(Add(MulScalar(top, float64(w+1)), left), float64(w+2)), dtypes.Int32)
	row = Add(row, MulScalar(number, (h+1)*(w+1)))
	below, right := Sub(y, top), Sub(x, left)
	above, before := OneMinus(below), OneMinus(right)
	q := quads{row: StopGradient(Reshape(row, row.Shape().Size(), 1))}
	var weights []*Node
	for _, w := range [4]*Node{Mul(above, before), Mul(above, right), Mul(below, before), Mul(below, right)} {
		weights = append(weights, InsertAxes(w, 0))
	}
	q.weight = StopGradient(Concatenate(weights, 0))
	return q
}

// quadTable has a row for each place between the pixels of maps [n, h, w], which
// a value surrounds: [n·(h+1)·(w+1), 4].
func quadTable(maps *Node, around float64) *Node {
	d := maps.Shape().Dimensions
	side := PadAxis{Start: 1, End: 1}
	x := Pad(maps, Scalar(maps.Graph(), maps.DType(), around), PadAxis{}, side, side)
	var corners []*Node
	for i := range 4 {
		c := Slice(x, AxisRange(), AxisRange(i/2, i/2+d[1]+1), AxisRange(i%2, i%2+d[2]+1))
		corners = append(corners, Reshape(c, c.Shape().Size(), 1))
	}
	return Concatenate(corners, 1)
}

// pixels are the four about each point, upper left, upper right, lower left and
// lower right, [4, ...].
func (q quads) pixels(table *Node) *Node {
	return Reshape(TransposeAllAxes(Gather(table, q.row), 1, 0), q.weight.Shape().Dimensions...)
}

// sum is the weighted one of what is given of the four pixels, [4, ...].
func (q quads) sum(pixels *Node) *Node { return ReduceSum(Mul(pixels, q.weight), 0) }

// bilinear is the value at each point, [...].
func (q quads) bilinear(table *Node) *Node { return q.sum(q.pixels(table)) }

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
