//go:build !(amd64 && goexperiment.simd)

package backend

// hasAVX512 tells whether GoMLX's own kernel uses AVX-512.
func hasAVX512() bool { return false }
