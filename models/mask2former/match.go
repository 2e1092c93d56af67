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
// rounding of sums. The paths are Bellman's and Ford's, whose steps are the fewest
// operations; all problems take the same, rows²/2 of them, so that it is part of a
// graph.
func match(cost *Node) *Node {
	d := cost.Shape().Dimensions
	none := Zeros(cost.Graph(), shapes.Make(dtypes.Float32, d[0], 1, d[2]))
	a := &assignment{paid: none}
	for row := range d[1] {
		a.take(StopGradient(Slice(cost, AxisRange(), AxisRange(row, row+1), AxisRange())), none)
		a.augment(a.ways())
	}
	return StopGradient(a.chosen)
}

// assignment is that of the rows so far. Potentials of rows and columns are taken
// off the costs, so that none is below 0, and those of the chosen places are 0.
type assignment struct {
	reduced *Node // costs less potentials, [problems, rows, columns]
	chosen  *Node // 1 at the column of each row, else 0, likewise; while the last row has none, 0
	paid    *Node // the columns' potentials, negated, [problems, 1, columns]
}

// take takes up a row of costs, [problems, 1, columns], that has no column yet.
func (a *assignment) take(cost, none *Node) {
	cost = Add(cost, a.paid)
	cost = Sub(cost, ReduceAndKeep(cost, ReduceMin, 2))
	if a.chosen == nil {
		a.reduced, a.chosen = cost, none
		return
	}
	a.reduced, a.chosen = Concatenate([]*Node{a.reduced, cost}, 1), Concatenate([]*Node{a.chosen, none}, 1)
}

// ways are the shortest from the last row to the others, by way of columns whose
// rows take another: the cost of each, [problems, rows, 1], 0 for the last row; and
// 1 at the row before it on its way, [problems, rows, rows], none for the last. As
// costs are not below 0 and a way changes only for a shorter one, none comes to a
// row twice, however sums are rounded.
func (a *assignment) ways() (cost, before *Node) {
	g, d := a.chosen.Graph(), a.chosen.Shape().Dimensions
	problems, last := d[0], d[1]-1
	cost, before = Zeros(g, shapes.Make(dtypes.Float32, problems, 1)), Zeros(g, shapes.Make(dtypes.Float32, problems, 1, last+1))
	if last > 0 {
		others := AxisRange(0, last)
		edge := product(a.reduced, 2, Slice(a.chosen, AxisRange(), others), 2) // from each row to each of the others
		short := Reshape(Slice(edge, AxisRange(), AxisRangeToEnd(last)), problems, last)
		edge = Slice(edge, AxisRange(), others)
		from := BroadcastToDims(Scalar(g, dtypes.Int32, last), problems, last)
		for range last - 1 { // as many edges as a way can have more
			by := Add(InsertAxes(short, -1), edge)
			best := ReduceMin(by, 1)
			from = Where(LessThan(best, short), ArgMin(by, 1, dtypes.Int32), from)
			short = Min(best, short)
		}
		cost = Concatenate([]*Node{short, cost}, 1)
		before = Concatenate([]*Node{oneAt(from, last+1), before}, 1)
	}
	return InsertAxes(cost, -1), before
}

// augment continues ways to the free column that costs the least, moves potentials
// so that the edges on the way to it cost nothing, and gives each row on that way the
// column that it led to.
func (a *assignment) augment(cost, before *Node) {
	rows, columns := a.chosen.Shape().Dim(1), a.chosen.Shape().Dim(2)
	to := Add(a.reduced, cost)
	short := ReduceAndKeep(to, ReduceMin, 1) // the way to each column
	free := Add(short, MulScalar(ReduceAndKeep(a.chosen, ReduceMax, 1), far))
	low := ReduceAndKeep(free, ReduceMin, 2)
	sink := oneAt(ArgMin(free, 2, dtypes.Int32), columns)                                    // [problems, 1, columns]
	end := InsertAxes(oneAt(ArgMin(ReduceSum(Mul(to, sink), 2), 1, dtypes.Int32), rows), -1) // the row before it, [problems, rows, 1]

	gain := MaxScalar(Sub(low, short), 0)
	a.reduced = MaxScalar(Add(Sub(a.reduced, MaxScalar(Sub(low, cost), 0)), gain), 0)
	a.paid = Add(a.paid, gain)

	// The rows on the way: that at its end, the one before, the two before these, four …
	on, back := end, before
	for reached := 1; reached < rows; reached *= 2 {
		if reached > 1 {
			back = product(back, 2, back, 1)
		}
		on = Add(on, product(back, 1, on, 1))
	}
	led := product(Mul(before, on), 1, a.chosen, 1)
	a.chosen = Add(Add(led, Mul(end, sink)), Mul(a.chosen, OneMinus(on)))
}

// oneAt is 1 at an index of a last axis of so many places, else 0.
func oneAt(index *Node, places int) *Node { return OneHot(index, places, dtypes.Float32) }

// product is that of matrices, one for each problem, summed over an axis of both.
func product(x *Node, xAxis int, y *Node, yAxis int) *Node {
	return DotGeneral(x, []int{xAxis}, []int{0}, y, []int{yAxis}, []int{0})
}
