//go:build !(goexperiment.simd && amd64)

package crf

// axpy adds a·x to y; the lengths are equal and a multiple of lanes.
func axpy(y, x []float32, a float32) { axpyGeneric(y, x, a) }

// blurRow sets y = x + (n1+n2)/2.
func blurRow(y, x, n1, n2 []float32) { blurGeneric(y, x, n1, n2) }
