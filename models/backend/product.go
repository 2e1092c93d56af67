package backend

import (
	"github.com/gomlx/compute/gohook"

	"wsss/models/backend/sgemm"
)

// The go backend multiplies matrices with sgemm where the CPU has its
// instructions. Where GoMLX has a kernel for AVX-512, built in by
// GOEXPERIMENT=simd, that one stays.
func init() {
	if !sgemm.Available() || hasAVX512() {
		return
	}
	gohook.SetProduct("sgemm", func(workers int, parallel func(func()), transposed bool, lhs, rhs, out []float32, batch, m, n, k int) {
		sgemm.Product{A: lhs, B: rhs, C: out, Batch: batch, M: m, N: n, K: k, Transposed: transposed}.Run(workers, parallel)
	})
}
