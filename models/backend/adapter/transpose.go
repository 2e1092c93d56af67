package adapter

import (
	"slices"

	"github.com/gomlx/compute"
)

// transposeSize is the number of values from which on two fast passes beat one
// slow one.
const transposeSize = 4096

// transposition is a value before its axes were reordered, and their order since.
type transposition struct {
	before compute.Value
	axes   []int
}

// Transpose swaps axes. What was reshaped is reshaped once more for it, and of two
// transpositions one is made where that is no slower, or none.
func (f *direct) Transpose(x compute.Value, permutation ...int) (compute.Value, error) {
	if leads(permutation, 0) {
		return x, nil
	}
	if before, axes := f.before(x, permutation); keepsLast(axes) {
		x, permutation = before, axes
		if leads(axes, 0) {
			return x, nil
		}
	}
	before, err := f.fresh(x)
	if err != nil {
		return nil, err
	}
	y, err := f.transpose(before, permutation)
	if err == nil {
		f.transposed[y] = transposition{x, slices.Clone(permutation)}
	}
	return y, err
}

// before is what x was before it was transposed, with axes of x as they were then.
func (f *direct) before(x compute.Value, axes []int) (compute.Value, []int) {
	t, ok := f.transposed[x]
	if !ok {
		return x, axes
	}
	then := make([]int, len(axes))
	for i, a := range axes {
		then[i] = t.axes[a]
	}
	return t.before, then
}

// keepsLast tells whether the last axis stays where it is: what lies together is
// copied at once then.
func keepsLast(permutation []int) bool {
	last := len(permutation) - 1
	return last >= 0 && permutation[last] == last
}

// transpose reorders the axes of x. GoMLX's go backend is fast, on all cores,
// where the last axis stays and where a matrix is transposed; all else it moves
// one value after the other. So what becomes the last axis is brought there by the
// transposition of a matrix, and the others follow.
func (f *direct) transpose(x compute.Value, permutation []int) (compute.Value, error) {
	s, err := f.Shape(x)
	rank := len(permutation)
	if err != nil || s.IsDynamic() || rank < 3 || s.Rank() != rank || s.Size() < transposeSize || keepsLast(permutation) {
		return f.Function.Transpose(x, permutation...)
	}
	cut := permutation[rank-1] + 1 // of the matrix, the axes before it are the rows
	columns, rows := s.Dimensions[cut:], s.Dimensions[:cut]
	y, err := f.Reshape(x, volume(rows), volume(columns))
	if err != nil {
		return nil, err
	}
	if y, err = f.Function.Transpose(y, 1, 0); err != nil {
		return nil, err
	}
	if y, err = f.Reshape(y, append(slices.Clone(columns), rows...)...); err != nil {
		return nil, err
	}
	rest, moved := make([]int, rank), false
	for to, axis := range permutation {
		rest[to] = (axis - cut + rank) % rank
		moved = moved || rest[to] != to
	}
	if !moved {
		return y, nil
	}
	return f.Function.Transpose(y, rest...)
}
