package adapter

import (
	"slices"

	"github.com/gomlx/compute"
)

// dot is DotGeneral of operands whose axes lie as GoMLX's products take them: the
// batch's first, then of x those that stay, then those that are summed over; of y
// in that order too, or with those that are summed over before. What lies otherwise
// is transposed here. GoMLX would transpose both operands where one needs it, one
// value after the other.
func (f *direct) dot(x compute.Value, sumX, batchX []int, y compute.Value, sumY, batchY []int, config compute.DotGeneralConfig) (compute.Value, error) {
	xs, err := f.Shape(x)
	if err != nil {
		return nil, err
	}
	ys, err := f.Shape(y)
	if err != nil {
		return nil, err
	}
	if len(sumX) > 0 && len(sumX) == len(sumY) && !xs.IsDynamic() && !ys.IsDynamic() && leads(batchX, 0) && leads(batchY, 0) {
		if !leads(sumX, xs.Rank()-len(sumX)) {
			if x, sumX, err = f.sumLast(x, sumX, len(batchX), xs.Rank()); err != nil {
				return nil, err
			}
		}
		if !leads(sumY, len(batchY)) && !leads(sumY, ys.Rank()-len(sumY)) {
			if y, sumY, err = f.sumLast(y, sumY, len(batchY), ys.Rank()); err != nil {
				return nil, err
			}
		}
	}
	return f.Function.DotGeneral(x, sumX, batchX, y, sumY, batchY, config)
}

// leads tells whether axes are consecutive from first on.
func leads(axes []int, first int) bool {
	for i, a := range axes {
		if a != first+i {
			return false
		}
	}
	return true
}

// sumLast moves the axes sum of v behind the others, the batch's staying first.
func (f *direct) sumLast(v compute.Value, sum []int, batch, rank int) (compute.Value, []int, error) {
	order := make([]int, 0, rank)
	for axis := range rank {
		if axis < batch || !slices.Contains(sum, axis) {
			order = append(order, axis)
		}
	}
	last := make([]int, len(sum))
	for i, axis := range sum {
		last[i] = len(order)
		order = append(order, axis)
	}
	v, err := f.transpose(v, order)
	return v, last, err
}
