package adapter

import (
	"slices"

	"github.com/gomlx/compute"
)

// dot is DotGeneral of operands whose axes lie as GoMLX's products take them: the
// batch's first, then of x those that stay, then those that are summed over; of y
// in that order too, or with those that are summed over before. What lies otherwise
// is transposed here. GoMLX would transpose both operands where one needs it, one
// value after the other. And what was transposed is taken as it was before, where
// that lies no worse.
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
		if x, sumX, err = f.untransposed(x, sumX, len(batchX), xs.Rank(), false); err != nil {
			return nil, err
		}
		if y, sumY, err = f.untransposed(y, sumY, len(batchY), ys.Rank(), true); err != nil {
			return nil, err
		}
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
	order, last := productOrder(sum, batch, rank, false)
	v, err := f.transpose(v, order)
	return v, last, err
}

// untransposed is v as it was before it was transposed, if its axes then lie as a
// product takes them, or can be brought there without moving the last one: the axes
// sum behind the others, or, if either is allowed, right behind the batch's.
func (f *direct) untransposed(v compute.Value, sum []int, batch, rank int, either bool) (compute.Value, []int, error) {
	if _, ok := f.transposed[v]; !ok {
		return v, sum, nil
	}
	for _, sumFirst := range []bool{false, either} {
		order, sums := productOrder(sum, batch, rank, sumFirst)
		before, axes := f.before(v, order)
		if leads(axes, 0) {
			return before, sums, nil
		}
		if keepsLast(axes) {
			moved, err := f.transpose(before, axes)
			return moved, sums, err
		}
	}
	return v, sum, nil
}

// productOrder is the order of the axes of an operand of a product, the batch's
// first, and where in it those lie that are summed over: last, or right behind the
// batch's.
func productOrder(sum []int, batch, rank int, sumFirst bool) (order, sums []int) {
	var leading, rest []int
	for axis := range rank {
		if axis < batch {
			leading = append(leading, axis)
		} else if !slices.Contains(sum, axis) {
			rest = append(rest, axis)
		}
	}
	order, at := slices.Concat(leading, rest, sum), rank-len(sum)
	if sumFirst {
		order, at = slices.Concat(leading, sum, rest), batch
	}
	for i := range sum {
		sums = append(sums, at+i)
	}
	return order, sums
}
