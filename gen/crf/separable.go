package crf

import "math"

// kernel adds a filtered field to another.
type kernel interface {
	// filter adds the filtered in to out; both are pixels × c with c a multiple
	// of lanes. a and b are scratch of rows() rows of c.
	filter(out, in []float32, c int, a, b []float32)
	rows() int
}

// maxSigma is the standard deviation, in pixels, up to which a Gaussian over
// positions is summed as it is; wider ones go through the lattice.
const maxSigma = 6

// separable is the Gaussian over positions with symmetric normalisation: first
// along rows, then along columns. Taps beyond five standard deviations, below
// 4e-6 of the middle one, are left out.
type separable struct {
	w, h   int
	radius int
	x, y   []float32 // weight of each tap, at each column and at each row; 2·radius+1 each
}

func newSeparable(w, h int, sigma, weight float32) *separable {
	s := &separable{w: w, h: h, radius: int(math.Ceil(5 * float64(sigma)))}
	s.x, s.y = s.taps(w, sigma, 1), s.taps(h, sigma, weight)
	return s
}

// taps are factor·N·k·N along one axis of n pixels, 0 outside; N is
// 1/√(sum of the taps inside), which makes the product of both axes that of
// the plane.
func (s *separable) taps(n int, sigma, factor float32) []float32 {
	k := make([]float64, s.radius+1)
	for d := range k {
		k[d] = math.Exp(-float64(d*d) / float64(2*sigma*sigma))
	}
	norm := make([]float64, n)
	s.each(n, func(i, j, _ int) { norm[i] += k[max(i-j, j-i)] })
	out := make([]float32, n*(2*s.radius+1))
	s.each(n, func(i, j, tap int) {
		out[i*(2*s.radius+1)+tap] = float32(float64(factor) * k[max(i-j, j-i)] / math.Sqrt(norm[i]*norm[j]))
	})
	return out
}

// each calls f for every pixel i of an axis and its neighbours j.
func (s *separable) each(n int, f func(i, j, tap int)) {
	for i := range n {
		for j := max(0, i-s.radius); j <= min(n-1, i+s.radius); j++ {
			f(i, j, j-i+s.radius)
		}
	}
}

func (s *separable) rows() int { return s.w * s.h }

func (s *separable) filter(out, in []float32, c int, a, _ []float32) {
	s.pass(a, in, c, true)
	s.pass(out, a, c, false)
}

// pass filters along rows into a cleared dst, or along columns, adding to it.
func (s *separable) pass(dst, src []float32, c int, rows bool) {
	taps, step := 2*s.radius+1, s.w
	if rows {
		step = 1
	}
	parallel(s.h, func(lo, hi int) {
		idx := make([]int32, taps)
		for y := lo; y < hi; y++ {
			for x := range s.w {
				p, at, n, w := y*s.w+x, y, s.h, s.y
				if rows {
					at, n, w = x, s.w, s.x
				}
				first, last := max(0, at-s.radius), min(n-1, at+s.radius)
				for j := first; j <= last; j++ {
					idx[j-first] = int32(p + (j-at)*step)
				}
				row := dst[p*c : (p+1)*c]
				if rows {
					clear(row)
				}
				from := at*taps + first - at + s.radius
				gather(row, src, idx[:last-first+1], w[from:from+last-first+1])
			}
		}
	})
}
