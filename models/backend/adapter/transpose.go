package adapter

import (
	"slices"

	"github.com/gomlx/compute"
)

// transposeSize is the number of values from which on two fast passes beat one
// slow one.
const transposeSize = 4096

// Transpose swaps axes. What was reshaped is reshaped once more for it.
func (f *direct) Transpose(x compute.Value, permutation ...int) (compute.Value, error) {
	x, err := f.fresh(x)
	if err != nil {
		return nil, err
	}
	return f.transpose(x, permutation)
}

// transpose reorders the axes of x. GoMLX's go backend is fast, on all cores,
// where the last axis stays and where a matrix is transposed; all else it moves
// one value after the other. So what becomes the last axis is brought there by the
// transposition of a matrix, and the others follow.
func (f *direct) transpose(x compute.Value, permutation []int) (compute.Value, error) {
	s, err := f.Shape(x)
	rank := len(permutation)
	if err != nil || s.IsDynamic() || rank < 3 || s.Rank() != rank || s.Size() < transposeSize || permutation[rank-1] == rank-1 {
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
