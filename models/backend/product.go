package backend

import (
	"wsss/models/backend/goproduct"
	"wsss/models/backend/sgemm"
)

// The go backend multiplies matrices with sgemm where the CPU has AVX2 and no
// AVX-512, for which GoMLX's own kernel is the faster one (docs/speed.md).
func init() {
	if sgemm.Available() && !hasAVX512() {
		goproduct.Use("sgemm", func(workers int, parallel func(func()), transposed bool, lhs, rhs, out []float32, batch, m, n, k int) {
			sgemm.Product{A: lhs, B: rhs, C: out, Batch: batch, M: m, N: n, K: k, Transposed: transposed}.Run(workers, parallel)
		})
	}
}
