//go:build !(goexperiment.simd && amd64)

package crf

// gather adds Σ w[k]·src[idx[k]] to the row y, whose length is a multiple of
// lanes.
func gather(y, src []float32, idx []int32, w []float32) { gatherGeneric(y, src, idx, w) }

// blurRow sets y = x + (n1+n2)/2.
func blurRow(y, x, n1, n2 []float32) { blurGeneric(y, x, n1, n2) }
