//go:build goexperiment.simd && amd64

package crf

import "simd/archsimd"

var hasAVX2 = archsimd.X86.AVX2()

// axpy adds a·x to y; the lengths are equal and a multiple of lanes. Product
// and sum are rounded apart, so that the result is the generic one, bit for
// bit.
func axpy(y, x []float32, a float32) {
	if !hasAVX2 {
		axpyGeneric(y, x, a)
		return
	}
	va := archsimd.BroadcastFloat32x8(a)
	for len(y) >= lanes && len(x) >= lanes {
		archsimd.LoadFloat32x8Slice(x).Mul(va).Add(archsimd.LoadFloat32x8Slice(y)).StoreSlice(y)
		y, x = y[lanes:], x[lanes:]
	}
}

// blurRow sets y = x + (n1+n2)/2.
func blurRow(y, x, n1, n2 []float32) {
	if !hasAVX2 {
		blurGeneric(y, x, n1, n2)
		return
	}
	half := archsimd.BroadcastFloat32x8(0.5)
	for len(y) >= lanes && len(x) >= lanes && len(n1) >= lanes && len(n2) >= lanes {
		s := archsimd.LoadFloat32x8Slice(n1).Add(archsimd.LoadFloat32x8Slice(n2)).Mul(half)
		archsimd.LoadFloat32x8Slice(x).Add(s).StoreSlice(y)
		y, x, n1, n2 = y[lanes:], x[lanes:], n1[lanes:], n2[lanes:]
	}
}
