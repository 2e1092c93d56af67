//go:build goexperiment.simd && amd64

package affinity

import "simd/archsimd"

var hasAVX2 = archsimd.X86.AVX2()

// step is stepGeneric, bit for bit.
func step(y *[block]float32, x []float32, at int, shifts []int, weights []float32) {
	if !hasAVX2 {
		stepGeneric(y, x, at, shifts, weights)
		return
	}
	zero := archsimd.BroadcastFloat32x8(0)
	a, b, c, d := zero, zero, zero, zero
	for k, shift := range shifts {
		w, v := (*[block]float32)(weights[k*block:]), (*[block]float32)(x[at+shift:])
		a = a.Add(archsimd.LoadFloat32x8(w[0:8]).Mul(archsimd.LoadFloat32x8(v[0:8])))
		b = b.Add(archsimd.LoadFloat32x8(w[8:16]).Mul(archsimd.LoadFloat32x8(v[8:16])))
		c = c.Add(archsimd.LoadFloat32x8(w[16:24]).Mul(archsimd.LoadFloat32x8(v[16:24])))
		d = d.Add(archsimd.LoadFloat32x8(w[24:32]).Mul(archsimd.LoadFloat32x8(v[24:32])))
	}
	a.Store(y[0:8])
	b.Store(y[8:16])
	c.Store(y[16:24])
	d.Store(y[24:32])
}
