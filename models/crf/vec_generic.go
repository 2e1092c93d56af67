//go:build !(goexperiment.simd && amd64)

package crf

// gather adds Σ w[k]·src[idx[k]] to the row y, whose length is a multiple of
// lanes.
func gather(y, src []float32, idx []int32, w []float32) { gatherGeneric(y, src, idx, w) }

// stride adds Σ w[k]·src[at+k·step] to the row y.
func stride(y, src []float32, at, step int, w []float32) { strideGeneric(y, src, at, step, w) }

// blurChains blurs rows of c values along lines, in place; see blurGeneric.
func blurChains(rows []float32, chain []int32, c int) { blurGeneric(rows, chain, c) }

// softmaxRows sets each row of y, c values, to the softmax of that of x.
func softmaxRows(y, x []float32, c int) { softmaxGeneric(y, x, c) }

// expRow sets y = e^x.
func expRow(y, x []float32) { expGeneric(y, x) }
