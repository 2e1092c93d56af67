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

// blurRows sets y = x + (n1+n2)/2, row by row; see blurGeneric.
func blurRows(y, x, src []float32, nb []int32, c int) {
	if !hasAVX2 {
		blurGeneric(y, x, src, nb, c)
		return
	}
	half := archsimd.BroadcastFloat32x8(0.5)
	for v := 0; v+1 < len(nb); v += 2 {
		n1, n2 := src[int(nb[v])*c:][:c], src[int(nb[v+1])*c:][:c]
		xv, yv := x[:c], y[:c]
		x, y = x[c:], y[c:]
		for len(n1) >= lanes && len(n2) >= lanes && len(xv) >= lanes && len(yv) >= lanes {
			s := archsimd.LoadFloat32x8((*[8]float32)(n1)).Add(archsimd.LoadFloat32x8((*[8]float32)(n2))).Mul(half)
			archsimd.LoadFloat32x8((*[8]float32)(xv)).Add(s).Store((*[8]float32)(yv))
			n1, n2, xv, yv = n1[lanes:], n2[lanes:], xv[lanes:], yv[lanes:]
		}
	}
}

// expRow sets y = e^(x-top), by the steps of exp32.
func expRow(y, x []float32, top float32) {
	if !hasAVX2 {
		expGeneric(y, x, top)
		return
	}
	to := archsimd.BroadcastFloat32x8
	t, least, log2e, half, one := to(top), to(-87), to(1.44269504), to(0.5), to(1)
	hi, lo := to(0.693359375), to(-2.12194440e-4)
	c0, c1, c2, c3, c4, c5 := to(1.9875691500e-4), to(1.3981999507e-3), to(8.3334519073e-3), to(4.1665795894e-2), to(1.6666665459e-1), to(5.0000001201e-1)
	for len(x) >= lanes && len(y) >= lanes {
		v := archsimd.LoadFloat32x8((*[8]float32)(x)).Sub(t)
		keep := v.GreaterEqual(least)
		v = v.Max(least)
		k := v.Mul(log2e).Add(half).Floor()
		r := v.Sub(k.Mul(hi)).Sub(k.Mul(lo))
		p := c0.Mul(r).Add(c1)
		p = p.Mul(r).Add(c2)
		p = p.Mul(r).Add(c3)
		p = p.Mul(r).Add(c4)
		p = p.Mul(r).Add(c5)
		p = p.Mul(r).Mul(r).Add(r).Add(one)
		scale := k.ConvertToInt32().Add(archsimd.BroadcastInt32x8(127)).ShiftAllLeft(23).AsFloat32x8()
		p.Mul(scale).Masked(keep).Store((*[8]float32)(y))
		x, y = x[lanes:], y[lanes:]
	}
}
