//go:build !(goexperiment.simd && amd64)

package crf

// gather adds Σ w[k]·src[idx[k]] to the row y, whose length is a multiple of
// lanes.
func gather(y, src []float32, idx []int32, w []float32) { gatherGeneric(y, src, idx, w) }

// blurRows sets y = x + (n1+n2)/2, row by row; see blurGeneric.
func blurRows(y, x, src []float32, nb []int32, c int) { blurGeneric(y, x, src, nb, c) }

// expRow sets y = e^(x-top).
func expRow(y, x []float32, top float32) { expGeneric(y, x, top) }
