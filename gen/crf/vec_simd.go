//go:build goexperiment.simd && amd64

package crf

import "simd/archsimd"

var hasAVX2 = archsimd.X86.AVX2()

// gather adds Σ w[k]·src[idx[k]] to the row y, whose length is a multiple of
// lanes. Product and sum are rounded apart, so that the result is the generic
// one, bit for bit. Three vectors (24 classes: VOC's 21 padded) stay in
// registers at a time.
func gather(y, src []float32, idx []int32, w []float32) {
	if !hasAVX2 {
		gatherGeneric(y, src, idx, w)
		return
	}
	c := len(y)
	j := 0
	for ; j+3*lanes <= c; j += 3 * lanes {
		row := y[j : j+3*lanes]
		y0, y1, y2 := archsimd.LoadFloat32x8Slice(row), archsimd.LoadFloat32x8Slice(row[8:]), archsimd.LoadFloat32x8Slice(row[16:])
		for k, i := range idx {
			a, x := archsimd.BroadcastFloat32x8(w[k]), src[int(i)*c+j:]
			x = x[:24]
			y0 = y0.Add(archsimd.LoadFloat32x8Slice(x).Mul(a))
			y1 = y1.Add(archsimd.LoadFloat32x8Slice(x[8:]).Mul(a))
			y2 = y2.Add(archsimd.LoadFloat32x8Slice(x[16:]).Mul(a))
		}
		y0.StoreSlice(row)
		y1.StoreSlice(row[8:])
		y2.StoreSlice(row[16:])
	}
	for ; j < c; j += lanes {
		y0 := archsimd.LoadFloat32x8Slice(y[j:])
		for k, i := range idx {
			y0 = y0.Add(archsimd.LoadFloat32x8Slice(src[int(i)*c+j:]).Mul(archsimd.BroadcastFloat32x8(w[k])))
		}
		y0.StoreSlice(y[j:])
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
