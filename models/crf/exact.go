package crf

import (
	"fmt"
	"math"
)

// maxExact bounds the pixels of exact inference, whose time grows with their
// square.
const maxExact = 1 << 16

// pairs is a kernel summed over all pairs of points.
type pairs struct {
	n, d     int
	features []float32 // d planes of n
	norm     []float32 // 1/√(Σ_j k(i,j)) of each point
	weight   float32
	values   []float32 // n rows, each times its norm
}

// pairBlock is how many points are weighed at a time.
const pairBlock = 256

// newPairs takes features as newLattice does.
func newPairs(features []float32, d int, weight float32) (*pairs, error) {
	n := len(features) / d
	if n > maxExact {
		return nil, fmt.Errorf("crf: %d pixels: exact inference allows at most %d", n, maxExact)
	}
	k := &pairs{n: n, d: d, weight: weight, features: make([]float32, n*d), norm: make([]float32, n)}
	for i := range n {
		for a := range d {
			k.features[a*n+i] = features[i*d+a]
		}
	}
	parallel(n, func(lo, hi int) {
		var buf [pairBlock]float32
		for i := lo; i < hi; i++ {
			var sum float64
			for from := 0; from < n; from += pairBlock {
				for _, v := range k.weights(&buf, i, from) {
					sum += float64(v)
				}
			}
			k.norm[i] = float32(1 / math.Sqrt(sum))
		}
	})
	return k, nil
}

// weights are k(i, j) of the points from j on that fit into buf.
func (k *pairs) weights(buf *[pairBlock]float32, i, j int) []float32 {
	count := min(pairBlock, k.n-j)
	clear(buf[:])
	for a := range k.d {
		plane := k.features[a*k.n : (a+1)*k.n]
		at := plane[i]
		for t, v := range plane[j : j+count] {
			buf[t] -= 0.5 * (v - at) * (v - at)
		}
	}
	expRow(buf[:], buf[:])
	return buf[:count]
}

func (k *pairs) splat(in []float32, c int) {
	if len(k.values) != k.n*c {
		k.values = make([]float32, k.n*c)
	}
	parallel(k.n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j := i * c; j < (i+1)*c; j++ {
				k.values[j] = in[j] * k.norm[i]
			}
		}
	})
}

func (k *pairs) slice(row []float32, i int) {
	var buf [pairBlock]float32
	for from := 0; from < k.n; from += pairBlock {
		w := k.weights(&buf, i, from)
		for t := range w {
			w[t] *= k.weight * k.norm[i]
		}
		stride(row, k.values, from, 1, w)
	}
}
