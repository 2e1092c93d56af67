// Package gohook lets a program outside of GoMLX give the go backend faster
// operations: another matrix product, arithmetic on slices of float32, and
// slices, joins and transpositions that move runs of values instead of one after
// the other. The registries that GoMLX has for this are internal to its module,
// so this package is a module below GoMLX's path, replaced by this folder in
// go.mod.
package gohook

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/internal/gobackend"
	"github.com/gomlx/compute/internal/gobackend/dot"
)

// Product computes out = lhs·rhs for each of batch matrices: lhs is [m, k], rhs
// [k, n], or [n, k] if transposed, out [m, n]. parallel calls its argument in as
// many goroutines as the backend has free, workers of them being useful, and
// waits for all.
type Product func(workers int, parallel func(task func()), transposed bool, lhs, rhs, out []float32, batch, m, n, k int)

// SetProduct makes f the matrix product of float32 and of bfloat16 in graphs
// built from now on; GoMLX's product of bfloat16 loses half of the terms where
// the right matrix is transposed and small. Call it while packages initialise.
func SetProduct(name string, f Product) {
	run := func(b *gobackend.Backend, layout dot.Layout, lhs, rhs []float32, batch, m, n, k int, out []float32) {
		workers, parallel := 1, func(task func()) { task() }
		if b.Workers != nil {
			workers, parallel = b.Workers.AdjustedMaxParallelism(), b.Workers.Saturate
		}
		f(workers, parallel, layout == dot.LayoutTransposed, lhs, rhs, out, batch, m, n, k)
	}
	half := func(b *gobackend.Backend, layout dot.Layout, lhs, rhs []bfloat16.BFloat16, batch, m, n, k int, out []float32) {
		run(b, layout, widen(lhs), widen(rhs), batch, m, n, k, out)
	}
	for _, layout := range []dot.Layout{dot.LayoutNonTransposed, dot.LayoutTransposed} {
		dot.RegisterImplementation(name, layout, dtypes.Float32, dtypes.Float32, run, gobackend.PriorityArch+2, false)
		dot.RegisterImplementation(name, layout, dtypes.BFloat16, dtypes.Float32, half, gobackend.PriorityArch+2, false)
	}
}

// widen is x as float32.
func widen(x []bfloat16.BFloat16) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v.Float32()
	}
	return y
}
