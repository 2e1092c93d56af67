package adapter

import (
	"github.com/gomlx/compute"
)

// sliceChunk is the number of values that lie together, from which on copying
// them as one is faster than one by one.
const sliceChunk = 16

// Slice cuts x, of which all is x itself. GoMLX's go backend moves one value after the other; its gathering
// copies what lies together at once, so a cut of stride 1 is the gathering of one
// block.
func (f *direct) Slice(x compute.Value, starts, limits, strides []int) (compute.Value, error) {
	s, err := f.Shape(x)
	if err != nil || s.IsDynamic() || s.Rank() == 0 {
		return f.Function.Slice(x, starts, limits, strides)
	}
	sizes, together, whole := make([]int, s.Rank()), 1, true
	for axis := s.Rank() - 1; axis >= 0; axis-- {
		size := limits[axis] - starts[axis]
		if size <= 0 || strides != nil && strides[axis] != 1 {
			return f.Function.Slice(x, starts, limits, strides)
		}
		sizes[axis] = size
		if whole {
			together *= size
			whole = size == s.Dimensions[axis]
		}
	}
	if whole {
		return x, nil
	}
	if together < sliceChunk {
		return f.Function.Slice(x, starts, limits, strides)
	}
	axes, at := make([]int, s.Rank()), make([]int32, s.Rank())
	for axis := range axes {
		axes[axis], at[axis] = axis, int32(starts[axis])
	}
	index, err := f.Constant(at, len(at))
	if err != nil {
		return nil, err
	}
	return f.Function.Gather(x, index, 0, axes, nil, axes, sizes, true)
}
