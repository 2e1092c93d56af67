package gohook

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/internal/gobackend/ops"
)

func init() {
	gobackend.SetNodeExecutor(compute.OpTypeTranspose, gobackend.PriorityArch, execTranspose)
}

// execTranspose swaps two neighbouring groups of axes of float32 tile by tile;
// where the last axis stays, it moves runs of values. What is more it leaves to
// GoMLX's own iteration.
func execTranspose(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, _ []bool) (*gobackend.Buffer, error) {
	x, permutation := inputs[0], node.Data.([]int)
	output, err := b.GetBuffer(node.Shape)
	if err != nil {
		return nil, err
	}
	outer, rows, cols, inner, ok := swap(x.RawShape.Dimensions, permutation)
	if ok && node.Shape.DType == dtypes.Float32 {
		transposeFloat32(b, output.Flat.([]float32), x.Flat.([]float32), outer, rows, cols, inner)
		return output, nil
	}
	if last := len(permutation) - 1; node.Shape.DType == dtypes.Float32 && !node.Shape.IsDynamic() && last >= 0 && permutation[last] == last {
		moveRuns(b, output.Flat.([]float32), x.Flat.([]float32), x.RawShape.Dimensions, permutation)
		return output, nil
	}
	f, err := ops.TransposeDTypeMap.Get(node.Shape.DType)
	if err != nil {
		return nil, err
	}
	f.(func(x, out *gobackend.Buffer, it *ops.TransposeIterator))(x, output, ops.NewTransposeIterator(x.RawShape, permutation))
	return output, nil
}

// swap recognises permutations of [outer, rows, cols, inner] to [outer, cols,
// rows, inner], each a group of axes.
func swap(dims, permutation []int) (outer, rows, cols, inner int, ok bool) {
	n := len(dims)
	first, last := 0, n
	for first < n && permutation[first] == first {
		first++
	}
	for last > first && permutation[last-1] == last-1 {
		last--
	}
	if first == last {
		return 1, 1, 1, product(dims), true
	}
	split := permutation[first] // the axes from here on come first
	for i := first; i < last; i++ {
		if permutation[i] != first+(i-first+split-first)%(last-first) {
			return 0, 0, 0, 0, false
		}
	}
	return product(dims[:first]), product(dims[first:split]), product(dims[split:last]), product(dims[last:]), true
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// transposeFloat32 fills out [outer, cols, rows, inner] from x [outer, rows,
// cols, inner].
func transposeFloat32(b *gobackend.Backend, out, x []float32, outer, rows, cols, inner int) {
	const tile = 32
	bands := (cols + tile - 1) / tile
	inParallel(b, outer*bands, 4*len(x), func(first, end int) {
		for n := first; n < end; n++ {
			base, c0 := n/bands*rows*cols*inner, n%bands*tile
			c1 := min(c0+tile, cols)
			for r0 := 0; r0 < rows; r0 += tile {
				r1 := min(r0+tile, rows)
				for c := c0; c < c1; c++ {
					if inner > 1 {
						for r := r0; r < r1; r++ {
							copy(out[base+(c*rows+r)*inner:][:inner], x[base+(r*cols+c)*inner:])
						}
						continue
					}
					dst, from := out[base+c*rows+r0:base+c*rows+r1], base+r0*cols+c
					for i := range dst {
						dst[i] = x[from]
						from += cols
					}
				}
			}
		}
	})
}

// moveRuns fills out from x, whose last axis stays the last.
func moveRuns(b *gobackend.Backend, out, x []float32, dims, permutation []int) {
	last := len(dims) - 1
	run := dims[last]
	if len(out) == 0 {
		return
	}
	steps, step := make([]int, last), run // of x's axes
	for i := last - 1; i >= 0; i-- {
		steps[i] = step
		step *= dims[i]
	}
	inParallel(b, len(out)/run, 4*len(out), func(first, end int) {
		at, from := make([]int, last), 0 // indices along out's axes, place in x
		for i, rest := last-1, first; i >= 0; i-- {
			n := dims[permutation[i]]
			at[i] = rest % n
			rest /= n
			from += at[i] * steps[permutation[i]]
		}
		for to := first * run; to < end*run; to += run {
			copy(out[to:to+run], x[from:])
			for i := last - 1; i >= 0; i-- {
				axis := permutation[i]
				at[i]++
				from += steps[axis]
				if at[i] < dims[axis] {
					break
				}
				from -= at[i] * steps[axis]
				at[i] = 0
			}
		}
	})
}
