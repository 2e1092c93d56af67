package irn

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
)

// Offset is a way from one pixel to another, down and right.
type Offset struct{ Y, X int }

// neighbour is a pixel nearer than the radius, and the line to it.
type neighbour struct {
	Offset
	line []Offset // both ends included
}

// neighbours lists half of the pixels nearer than radius: those to the right and
// below. The other half are the same pairs.
func neighbours(radius int) (list []neighbour) {
	for y := 0; y < radius; y++ {
		for x := -radius + 1; x < radius; x++ {
			if x*x+y*y < radius*radius && (y > 0 || x > 0) {
				list = append(list, neighbour{Offset{y, x}, line(y, x)})
			}
		}
	}
	return list
}

// line is the pixels less than one pixel from the straight line to (y, x), within
// the rectangle of its ends.
func line(dy, dx int) (list []Offset) {
	for y := 0; y <= dy; y++ {
		for x := min(0, dx); x <= max(0, dx); x++ {
			if off := dy*x - dx*y; off*off < dy*dy+dx*dx {
				list = append(list, Offset{y, x})
			}
		}
	}
	return list
}

// Losses are the four terms that IRN's training adds up; each is a scalar.
type Losses struct {
	Same         *Node // −log affinity of pairs of one label: half of those of background, half of objects
	Different    *Node // −log(1 − affinity) of pairs of different labels
	Displacement *Node // |difference of displacements − offset| within objects
	Background   *Node // |difference of displacements| within the background
}

// Total is IRN's loss: half of the sum of all four.
func (l Losses) Total() *Node {
	return MulScalar(Add(Add(l.Same, l.Different), Add(l.Displacement, l.Background)), 0.5)
}

// tinyLog is added inside logarithms and to numbers of pairs (docs/sources.md §11.2).
const tinyLog = 1e-5

// Loss compares the outputs of training with labels [batch, h, w] of the same
// size, integers: 0 background, classes up to the last one, more where nobody
// knows. Pairs of pixels nearer than radius count, except those whose first
// pixel lies near the left, right or lower border.
func Loss(edges, displacements, labels *Node, classes, radius int) Losses {
	w := window{h: labels.Shape().Dim(1) - (radius - 1), w: labels.Shape().Dim(2) - 2*(radius-1), side: radius - 1}
	near := neighbours(radius)
	affinity, way := w.affinity(Sigmoid(edges), near), w.displacement(displacements, near)
	same, background, different := w.pairs(labels, near, classes)

	object := Sub(same, background)
	positive := Neg(Log(AddScalar(affinity, tinyLog)))
	negative := Neg(Log(AddScalar(OneMinus(affinity), tinyLog)))
	target := make([][]float32, len(near))
	for i, n := range near {
		target[i] = []float32{float32(n.Y), float32(n.X)}
	}
	to := ExpandAxes(Const(edges.Graph(), target), 0, 2, 3) // [1, pairs, 1, 1, 2]
	return Losses{
		Same:         MulScalar(Add(meanOver(positive, background, 1), meanOver(positive, object, 1)), 0.5),
		Different:    meanOver(negative, different, 1),
		Displacement: meanOver(ReduceSum(Abs(Sub(way, to)), 4), object, 2),
		Background:   meanOver(ReduceSum(Abs(way), 4), background, 2),
	}
}

// meanOver is Σ values·weight ÷ (n·Σ weight).
func meanOver(values, weight *Node, n float64) *Node {
	return Div(ReduceAllSum(Mul(values, weight)), AddScalar(MulScalar(ReduceAllSum(weight), n), tinyLog))
}

// window is where the first pixels of pairs lie.
type window struct{ h, w, side int }

// at is the part of x [batch, h, w, …] an offset from the window.
func (w window) at(x *Node, o Offset) *Node {
	axes := []SliceAxisSpec{AxisRange(), AxisRange(o.Y, o.Y+w.h), AxisRange(w.side+o.X, w.side+o.X+w.w)}
	for range x.Rank() - 3 {
		axes = append(axes, AxisRange())
	}
	return Slice(x, axes...)
}

// affinity is 1 less the greatest strength on the line of each pair, [batch,
// pairs, h, w].
func (w window) affinity(strength *Node, near []neighbour) *Node {
	strength = Squeeze(strength, 3)
	tops := make([]*Node, len(near))
	all := make([]*Node, len(near))
	for i, n := range near {
		top, rest := (*Node)(nil), n.line
		if k := longestWithin(near[:i], n.line); k >= 0 {
			top, rest = tops[k], without(n.line, near[k].line)
		}
		for _, o := range rest {
			top = greater(top, w.at(strength, o))
		}
		tops[i] = top
		all[i] = ExpandAxes(top, 1)
	}
	return OneMinus(Concatenate(all, 1))
}

// greater is the maximum. Unlike that of Max, its gradient goes to exactly one of
// both even where an engine computes them once more for it, with other rounding.
func greater(a, b *Node) *Node {
	if a == nil {
		return b
	}
	return Where(GreaterOrEqual(a, b), a, b)
}

// longestWithin is the place of the longest line that is part of another, or -1:
// its maximum need not be taken twice.
func longestWithin(near []neighbour, of []Offset) int {
	best := -1
	for i, n := range near {
		if len(without(n.line, of)) == 0 && (best < 0 || len(n.line) > len(near[best].line)) {
			best = i
		}
	}
	return best
}

// without is what a has and b has not.
func without(a, b []Offset) []Offset {
	return slices.DeleteFunc(slices.Clone(a), func(o Offset) bool { return slices.Contains(b, o) })
}

// displacement is the difference of the displacements of each pair, [batch,
// pairs, h, w, 2].
func (w window) displacement(d *Node, near []neighbour) *Node {
	from := w.at(d, Offset{})
	all := make([]*Node, len(near))
	for i, n := range near {
		all[i] = ExpandAxes(Sub(from, w.at(d, n.Offset)), 1)
	}
	return Concatenate(all, 1)
}

// pairs tells of each pair whether its labels are the same, both background, or
// different, as 0 and 1 [batch, pairs, h, w]; all are 0 where one is unknown.
func (w window) pairs(labels *Node, near []neighbour, classes int) (same, background, different *Node) {
	labels = ConvertDType(labels, dtypes.Float32)
	all := make([]*Node, len(near))
	for i, n := range near {
		all[i] = ExpandAxes(w.at(labels, n.Offset), 1)
	}
	to := Concatenate(all, 1)
	from := BroadcastToDims(ExpandAxes(w.at(labels, Offset{}), 1), to.Shape().Dimensions...)
	g := labels.Graph()
	number := func(condition *Node) *Node { return ConvertDType(condition, dtypes.Float32) }
	limit := Const(g, float32(classes))
	known := Mul(number(LessThan(from, limit)), number(LessThan(to, limit)))
	same = Mul(known, number(Equal(from, to)))
	return same, Mul(same, number(Equal(from, ScalarZero(g, dtypes.Float32)))), Mul(known, number(NotEqual(from, to)))
}
