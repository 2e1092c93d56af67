package adapter

import (
	"slices"

	"github.com/gomlx/compute"
)

// DotGeneral multiplies what was reshaped to matrices as it was before, where the
// axes allow it. The go backend copies what it reshapes if that is needed again,
// and as equal operations are one, a training step would keep a second copy of
// most activations from the forward to the backward pass.
func (f *direct) DotGeneral(x compute.Value, sumX, batchX []int, y compute.Value, sumY, batchY []int, config compute.DotGeneralConfig) (compute.Value, error) {
	left, right, ok := f.matrices(x, sumX, batchX, y, sumY, batchY)
	if !ok {
		return f.dot(x, sumX, batchX, y, sumY, batchY, config)
	}
	var err error
	if !slices.Equal(left.sum, right.sum) {
		// One of them is no reshape, so that it is needed here alone, as a rule.
		switch {
		case left.plain:
			err = f.split(&left, right.sum)
		case right.plain:
			err = f.split(&right, left.sum)
		default:
			if x, err = f.fresh(x); err == nil {
				y, err = f.fresh(y)
			}
			if err != nil {
				return nil, err
			}
			return f.dot(x, sumX, nil, y, sumY, nil, config)
		}
		if err != nil {
			return nil, err
		}
	}
	z, err := f.dot(left.value, left.summed(), nil, right.value, right.summed(), nil, config)
	if err != nil {
		return nil, err
	}
	return f.Reshape(z, volume(left.rest), volume(right.rest))
}

// matrix is a value that is a matrix to a product, with the sizes of the axes
// that are summed over, which are the first or the last, and of the others.
type matrix struct {
	value     compute.Value
	sum, rest []int
	sumFirst  bool
	plain     bool // it was not reshaped
}

// summed are the axes that are summed over.
func (m matrix) summed() []int {
	axes := make([]int, len(m.sum))
	for i := range axes {
		axes[i] = i
		if !m.sumFirst {
			axes[i] += len(m.rest)
		}
	}
	return axes
}

// matrices are the operands of a product of two matrices, as they were before
// they were reshaped; false where none was, or it is another product.
func (f *direct) matrices(x compute.Value, sumX, batchX []int, y compute.Value, sumY, batchY []int) (left, right matrix, ok bool) {
	if len(sumX) != 1 || len(sumY) != 1 || len(batchX) > 0 || len(batchY) > 0 || sumX[0] != 1 {
		return left, right, false
	}
	left, okX := f.matrix(x, sumX[0])
	right, okY := f.matrix(y, sumY[0])
	return left, right, okX && okY && !(left.plain && right.plain)
}

func (f *direct) matrix(v compute.Value, sum int) (matrix, bool) {
	s, err := f.Shape(v)
	if err != nil || s.Rank() != 2 || s.IsDynamic() || s.Size() == 0 {
		return matrix{}, false
	}
	first, second := s.Dimensions[:1], s.Dimensions[1:]
	m := matrix{value: v, sumFirst: sum == 0, plain: true}
	if before, ok := f.reshapes[v]; ok {
		t, err := f.Shape(before)
		if err != nil || t.IsDynamic() {
			return matrix{}, false
		}
		m.plain = false
		for i := range t.Rank() + 1 {
			if volume(t.Dimensions[:i]) == s.Dimensions[0] {
				m.value, first, second = before, t.Dimensions[:i], t.Dimensions[i:]
				break
			}
		}
	}
	m.sum, m.rest = second, first
	if m.sumFirst {
		m.sum, m.rest = first, second
	}
	return m, true
}

// split gives the one axis that m is summed over the sizes of several.
func (f *direct) split(m *matrix, sum []int) error {
	dims := slices.Concat(m.rest, sum)
	if m.sumFirst {
		dims = slices.Concat(sum, m.rest)
	}
	v, err := f.Function.Reshape(m.value, dims...)
	m.value, m.sum = v, sum
	return err
}

// large is how many values are worth another copy rather than to be kept.
const large = 1 << 14

// fresh reshapes once more what was reshaped before, so that the result lives
// from here on, not since the first time.
func (f *direct) fresh(x compute.Value) (compute.Value, error) {
	before, ok := f.reshapes[x]
	if !ok {
		return x, nil
	}
	s, err := f.Shape(x)
	if err != nil || s.IsDynamic() || s.Size() < large {
		return x, err
	}
	alone, err := f.OptimizationBarrier(before)
	if err != nil {
		return nil, err
	}
	return f.Function.Reshape(alone[0], s.Dimensions...)
}

func volume(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
