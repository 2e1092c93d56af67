//go:build goexperiment.simd && amd64

package crf

import (
	"simd/archsimd"
	"unsafe"
)

var hasAVX2 = archsimd.X86.AVX2()

type vec = archsimd.Float32x8

// triple is what stays in registers at a time: 24 classes, VOC's 21 padded.
type triple = [3 * lanes]float32

func load(s []float32) vec          { return archsimd.LoadFloat32x8(s) }
func store(s []float32, v vec)      { v.Store(s) }
func all(v float32) vec             { return archsimd.BroadcastFloat32x8(v) }
func load3(s *triple) (a, b, c vec) { return load(s[:8]), load(s[8:16]), load(s[16:]) }
func store3(s *triple, a, b, c vec) { store(s[:8], a); store(s[8:16], b); store(s[16:], c) }

// row1 and row3 are s[i:], unchecked: the indices of rows are the package's own,
// and checking each takes a third of the time.
func row1(s []float32, i int) *[lanes]float32 {
	return (*[lanes]float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), i*4))
}

func row3(s []float32, i int) *triple {
	return (*triple)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), i*4))
}

// ahead is how many rows before its use the blur asks for one: rows lie
// scattered, and processors look less far ahead by themselves. Asking for
// fewer than batch at a time costs more than it saves.
const ahead, batch = 16, 16

// fetch asks for the rows of src, c values each, that rows[from:to] names, by
// their numbers or the complements of these.
func fetch(src []float32, rows []int32, from, to, c int) {
	if to = min(to, len(rows)); from < to {
		prefetch(&src[0], &rows[from], to-from, 4*c)
	}
}

//go:noescape
func prefetch(src *float32, rows *int32, n, size int)

// gather adds Σ w[k]·src[idx[k]] to the row y, whose length is a multiple of
// lanes. Product and sum are rounded apart, so that the result is the generic
// one, bit for bit.
func gather(y, src []float32, idx []int32, w []float32) {
	if !hasAVX2 || len(y) < lanes {
		gatherGeneric(y, src, idx, w)
		return
	}
	c, w := len(y), w[:len(idx)]
	j := 0
	for ; j+len(triple{}) <= c; j += len(triple{}) {
		row := (*triple)(y[j:])
		y0, y1, y2 := load3(row)
		for k, i := range idx {
			a := all(w[k])
			x0, x1, x2 := load3(row3(src, int(i)*c+j))
			y0, y1, y2 = y0.Add(x0.Mul(a)), y1.Add(x1.Mul(a)), y2.Add(x2.Mul(a))
		}
		store3(row, y0, y1, y2)
	}
	for ; j < c; j += lanes {
		y0 := load(y[j:])
		for k, i := range idx {
			y0 = y0.Add(load(row1(src, int(i)*c+j)[:]).Mul(all(w[k])))
		}
		store(y[j:], y0)
	}
}

// stride adds Σ w[k]·src[at+k·step] to the row y.
func stride(y, src []float32, at, step int, w []float32) {
	if !hasAVX2 {
		strideGeneric(y, src, at, step, w)
		return
	}
	c := len(y)
	j := 0
	for ; j+len(triple{}) <= c; j += len(triple{}) {
		row, from := (*triple)(y[j:]), at*c+j
		y0, y1, y2 := load3(row)
		for _, a := range w {
			a := all(a)
			x0, x1, x2 := load3(row3(src, from))
			y0, y1, y2 = y0.Add(x0.Mul(a)), y1.Add(x1.Mul(a)), y2.Add(x2.Mul(a))
			from += step * c
		}
		store3(row, y0, y1, y2)
	}
	for ; j < c; j += lanes {
		y0, from := load(y[j:]), at*c+j
		for _, a := range w {
			y0 = y0.Add(load(row1(src, from)[:]).Mul(all(a)))
			from += step * c
		}
		store(y[j:], y0)
	}
}

// blurChains blurs rows of c values along lines, in place; see blurGeneric.
// There is no branch at the end of a line: lines are short.
func blurChains(rows []float32, chain []int32, c int) {
	if !hasAVX2 || c < lanes {
		blurGeneric(rows, chain, c)
		return
	}
	half, same := all(0.5), [2]float32{1, 0} // by the sign of an entry
	var unused triple
	j := 0
	for ; j+len(unused) <= c; j += len(unused) {
		var b0, b1, b2, h0, h1, h2 vec // the row before, and the row here
		here := &unused
		for k, v := range chain {
			if k%batch == 0 {
				fetch(rows, chain, k+ahead, k+ahead+batch, c)
			}
			u, m := row3(rows, int(v^v>>31)*c+j), all(same[uint32(v)>>31])
			n0, n1, n2 := load3(u)
			store3(here, h0.Add(b0.Add(n0.Mul(m)).Mul(half)), h1.Add(b1.Add(n1.Mul(m)).Mul(half)), h2.Add(b2.Add(n2.Mul(m)).Mul(half)))
			b0, b1, b2 = h0.Mul(m), h1.Mul(m), h2.Mul(m)
			here, h0, h1, h2 = u, n0, n1, n2
		}
		store3(here, h0.Add(b0.Mul(half)), h1.Add(b1.Mul(half)), h2.Add(b2.Mul(half)))
	}
	for ; j < c; j += lanes {
		var b, h vec
		here := (*[lanes]float32)(unused[:])
		for k, v := range chain {
			if k%batch == 0 {
				fetch(rows, chain, k+ahead, k+ahead+batch, c)
			}
			u, m := row1(rows, int(v^v>>31)*c+j), all(same[uint32(v)>>31])
			n := load(u[:])
			store(here[:], h.Add(b.Add(n.Mul(m)).Mul(half)))
			b, here, h = h.Mul(m), u, n
		}
		store(here[:], h.Add(b.Mul(half)))
	}
}

// turns rotate a vector by 4, 2 and 1 lanes.
var turns = [3][lanes]uint32{{4, 5, 6, 7, 0, 1, 2, 3}, {2, 3, 4, 5, 6, 7, 0, 1}, {1, 2, 3, 4, 5, 6, 7, 0}}

// softmaxRows sets each row of y, c values, to the softmax of that of x.
func softmaxRows(y, x []float32, c int) {
	if !hasAVX2 {
		softmaxGeneric(y, x, c)
		return
	}
	t0, t1, t2 := archsimd.LoadUint32x8(turns[0][:]), archsimd.LoadUint32x8(turns[1][:]), archsimd.LoadUint32x8(turns[2][:])
	for i := 0; i < len(x); i += c {
		top := load(x[i:])
		for j := i + lanes; j < i+c; j += lanes {
			top = top.Max(load(x[j:]))
		}
		top = top.Max(top.Permute(t0))
		top = top.Max(top.Permute(t1))
		top = top.Max(top.Permute(t2))
		for j := i; j < i+c; j += lanes {
			store(y[j:], load(x[j:]).Sub(top))
		}
	}
	expRow(y, y)
	for i := 0; i < len(y); i += c {
		sum := load(y[i:])
		for j := i + lanes; j < i+c; j += lanes {
			sum = sum.Add(load(y[j:]))
		}
		sum = sum.Add(sum.Permute(t0))
		sum = sum.Add(sum.Permute(t1))
		sum = sum.Add(sum.Permute(t2))
		inv := all(1).Div(sum)
		for j := i; j < i+c; j += lanes {
			store(y[j:], load(y[j:]).Mul(inv))
		}
	}
}

// expRow sets y = e^x, by the steps of fastexp.Exp.
func expRow(y, x []float32) {
	if !hasAVX2 {
		expGeneric(y, x)
		return
	}
	least, log2e, half, one := all(-87), all(1.44269504), all(0.5), all(1)
	hi, lo := all(0.693359375), all(-2.12194440e-4)
	c0, c1, c2, c3, c4, c5 := all(1.9875691500e-4), all(1.3981999507e-3), all(8.3334519073e-3), all(4.1665795894e-2), all(1.6666665459e-1), all(5.0000001201e-1)
	for len(x) >= lanes && len(y) >= lanes {
		v := load(x)
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
		store(y, p.Mul(scale).Masked(keep))
		x, y = x[lanes:], y[lanes:]
	}
}
