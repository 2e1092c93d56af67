package features

import (
	"math"

	"wsss/data"
	"wsss/data/vector"
)

// Weights are how much of each cell a mask of the photo covers, in cells: the
// mask resized to the grid by areas. All are 0 for an empty mask.
func (m *Map) Weights(mask data.RLE) []float32 {
	w := make([]float32, m.W*m.H)
	mask.Each(func(x, y0, y1 int) {
		left, right := float64(x)*m.ScaleX, float64(x+1)*m.ScaleX
		top, bottom := float64(y0)*m.ScaleY, float64(y1)*m.ScaleY
		for cx := int(left); cx < m.W && float64(cx) < right; cx++ {
			dx := min(right, float64(cx+1)) - max(left, float64(cx))
			for cy := int(top); cy < m.H && float64(cy) < bottom; cy++ {
				w[cy*m.W+cx] += float32(dx * (min(bottom, float64(cy+1)) - max(top, float64(cy))))
			}
		}
	})
	return w
}

// negligible is the sum of weights below which nothing is pooled, as in ModuSeg.
const negligible = 1e-6

// Pool is the mean of the features, by the weights of Weights, scaled to length
// 1. Lengths counts each cell's features with the length that the network gave
// them, as ModuSeg does; else all alike. It is nil where the weights are 0, or
// the features cancel out.
func (m *Map) Pool(weights []float32, lengths bool) []float32 {
	sum, total := make([]float64, m.C), 0.0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		total += float64(w)
		if lengths {
			w *= m.Norms[i]
		}
		for c, v := range m.Values[i*m.C : (i+1)*m.C] {
			sum[c] += float64(w * v)
		}
	}
	if total < negligible {
		return nil
	}
	out := make([]float32, m.C)
	for c, v := range sum {
		out[c] = float32(v / total)
	}
	if l := vector.Normalise(out); l < negligible || math.IsInf(l, 0) {
		return nil
	}
	return out
}
