package nearest

import "wsss/models/backend/sgemm"

// halves converts n values, a multiple of 8. CPUs with AVX2 have the
// instruction.
//
//go:noescape
func halves(dst *float32, src *uint16, n int)

// unpack turns half precision into float32.
func unpack(dst []float32, src []uint16) {
	n := len(src) &^ 7
	if n > 0 && sgemm.Available() {
		halves(&dst[0], &src[0], n)
		dst, src = dst[n:], src[n:]
	}
	widen(dst, src)
}
