package mask2former

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// far is more than any cost.
const far = 1e30

// match gives each row of cost [problems, rows, columns] a column of its own, at
// the least total cost: 1 at its place in [problems, rows, columns], else 0. There
// are at least as many columns as rows. It is the Hungarian method with shortest
// augmenting paths (Jonker and Volgenant, Computing 38, 1987), exact but for the
// rounding of sums; all problems take the same steps, rows²/2 of them, so that it
// is part of a graph.
func match(cost *Node) *Node {
	a := &assignment{reduced: StopGradient(cost), chosen: ZerosLike(cost)}
	a.chosen = StopGradient(a.chosen)
	for row := range cost.Shape().Dim(1) {
		a.add(row)
	}
	return StopGradient(a.chosen)
}

// assignment is that of the rows so far.
type assignment struct {
	reduced *Node // costs less the potentials of row and column
	chosen  *Node
}

// add finds the shortest way from a row to a column that is free, by way of
// columns whose rows take another, and gives each its new one.
func (a *assignment) add(row int) {
	s := a.search(row)
	for range row + 1 {
		s.step()
	}
	// Potentials move so that the edges of the tree cost nothing.
	gain := Where(s.scanned, Sub(spread(s.low, s.short), s.short), ZerosLike(s.short))
	up := ReduceAndKeep(Mul(a.chosen, InsertAxes(gain, 1)), ReduceSum, 2)
	up = Add(up, Mul(InsertAxes(s.low, 1), InsertAxes(s.unit(row), -1)))
	a.reduced = Add(Sub(a.reduced, up), InsertAxes(gain, 1))
	s.augment(row)
}

// search is that of one row, in all problems.
type search struct {
	*assignment
	short   *Node // cost of the way to each column, [problems, columns]
	from    *Node // number of the row before it
	scanned *Node // the way to it is the shortest there is
	sink    *Node // 1 at the free column that was found
	low     *Node // cost of the way to the column scanned last, [problems, 1]
	current *Node // 1 at the row whose columns come next, [problems, rows]
	open    *Node // none was found yet, [problems, 1]
	first   bool
}

func (a *assignment) search(row int) *search {
	g, d := a.reduced.Graph(), a.reduced.Shape().Dimensions
	s := &search{assignment: a, first: true}
	s.short = Reshape(Slice(a.reduced, AxisRange(), AxisRange(row, row+1), AxisRange()), d[0], d[2])
	s.from = BroadcastToDims(Scalar(g, dtypes.Float32, row), d[0], d[2])
	s.sink = Zeros(g, shapes.Make(dtypes.Float32, d[0], d[2]))
	s.scanned = GreaterThan(s.sink, ScalarZero(g, dtypes.Float32))
	s.low = Zeros(g, shapes.Make(dtypes.Float32, d[0], 1))
	s.open = Equal(s.low, ScalarZero(g, dtypes.Float32))
	return s
}

// unit is 1 at a row, [1, rows].
func (s *search) unit(row int) *Node {
	flat := make([]float32, s.reduced.Shape().Dim(1))
	flat[row] = 1
	return Const(s.reduced.Graph(), [][]float32{flat})
}

// step scans a column.
func (s *search) step() {
	g := s.short.Graph()
	number := Iota(g, shapes.Make(dtypes.Int32, 1, s.short.Shape().Dim(1)), 1)
	if !s.first {
		row := Iota(g, shapes.Make(dtypes.Float32, 1, s.current.Shape().Dim(1)), 1)
		cost := Squeeze(ReduceAndKeep(Mul(s.reduced, InsertAxes(s.current, -1)), ReduceSum, 1), 1)
		cost = Add(cost, s.low)
		better := LogicalAnd(LogicalAnd(LessThan(cost, s.short), LogicalNot(s.scanned)), spread(s.open, cost))
		s.short = Where(better, cost, s.short)
		s.from = Where(better, spread(ReduceAndKeep(Mul(row, s.current), ReduceSum, 1), s.from), s.from)
	}
	s.first = false
	left := Where(s.scanned, Scalar(g, dtypes.Float32, far), s.short)
	hit := Equal(number, InsertAxes(ArgMin(left, 1, dtypes.Int32), -1))
	hit = LogicalAnd(hit, spread(s.open, hit))
	s.low = Where(s.open, ReduceAndKeep(left, ReduceMin, 1), s.low)
	s.scanned = LogicalOr(s.scanned, hit)
	at := ConvertDType(hit, dtypes.Float32)
	s.current = Squeeze(ReduceAndKeep(Mul(s.chosen, InsertAxes(at, 1)), ReduceSum, 2), 2)
	taken := ReduceAndKeep(s.current, ReduceMax, 1)
	s.sink = Add(s.sink, Mul(at, OneMinus(taken)))
	s.open = LogicalAnd(s.open, GreaterThan(taken, Scalar(g, dtypes.Float32, 0.5)))
}

// augment walks back from the column that was found: each row on the way takes
// the column it led to, and leaves its own to the one before.
func (s *search) augment(row int) {
	g := s.short.Graph()
	number := Iota(g, shapes.Make(dtypes.Float32, 1, s.reduced.Shape().Dim(1)), 1)
	column := s.sink
	for range row + 1 {
		// Behind the first row of the way the column is none, and nothing changes.
		some := ReduceAndKeep(column, ReduceMax, 1)
		owner := ReduceAndKeep(Mul(s.from, column), ReduceSum, 1)
		at := Mul(ConvertDType(Equal(BroadcastToDims(number, column.Shape().Dim(0), number.Shape().Dim(1)), owner), dtypes.Float32), some)
		own := Squeeze(ReduceAndKeep(Mul(s.chosen, InsertAxes(at, -1)), ReduceSum, 1), 1)
		s.chosen = Add(s.chosen, Mul(InsertAxes(at, -1), InsertAxes(Sub(column, own), 1)))
		column = own
	}
}

// spread is x, whose axes of size 1 take like's sizes.
func spread(x, like *Node) *Node {
	return BroadcastToDims(x, like.Shape().Dimensions...)
}
