package crf

import (
	"slices"

	"wsss/data/fastexp"
)

// lanes is what rows are padded to, so that vector code needs no tail.
const lanes = 8

// gatherGeneric adds Σ w[k]·src[idx[k]] to the row y, len(y) values each.
func gatherGeneric(y, src []float32, idx []int32, w []float32) {
	for k, i := range idx {
		addScaled(y, src[int(i)*len(y):], w[k])
	}
}

// strideGeneric adds Σ w[k]·src[at+k·step] to the row y.
func strideGeneric(y, src []float32, at, step int, w []float32) {
	for k, a := range w {
		addScaled(y, src[(at+k*step)*len(y):], a)
	}
}

func addScaled(y, x []float32, a float32) {
	x = x[:len(y)]
	for j := range y {
		y[j] += float32(a * x[j])
	}
}

// blurGeneric sets each row that chain names to itself + (before + behind)/2
// of its line; see vertices.chains.
func blurGeneric(rows []float32, chain []int32, c int) {
	for j := range c {
		var before, here float32
		at := -1 // row of here
		for _, v := range chain {
			u := int(max(v, ^v))*c + j
			next, same := rows[u], float32(1)
			if v < 0 {
				same = 0
			}
			if at >= 0 {
				rows[at] = here + float32(0.5*(before+next*same))
			}
			at, before, here = u, here*same, next
		}
		if at >= 0 {
			rows[at] = here + float32(0.5*before)
		}
	}
}

// softmaxGeneric sets each row of y, c values, to e^x over its sum, x that row
// of x. The sum goes lane by lane first, as that of vector code.
func softmaxGeneric(y, x []float32, c int) {
	for ; len(x) > 0; x, y = x[c:], y[c:] {
		row := y[:c]
		top := slices.Max(x[:c])
		for j, v := range x[:c] {
			row[j] = v - top
		}
		expGeneric(row, row)
		var sum [lanes]float32
		for j, v := range row {
			sum[j%lanes] += v
		}
		inv := 1 / sumLanes(&sum)
		for j := range row {
			row[j] *= inv
		}
	}
}

func sumLanes(v *[lanes]float32) float32 {
	return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}

// expGeneric sets y = e^x.
func expGeneric(y, x []float32) {
	for j, v := range x {
		y[j] = fastexp.Exp(v)
	}
}
