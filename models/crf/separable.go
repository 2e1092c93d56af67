package crf

import "math"

// maxSigma is the standard deviation, in pixels, up to which a Gaussian over
// positions is summed as it is; wider ones go through the lattice.
const maxSigma = 6

// separable is the Gaussian over positions with symmetric normalisation: first
// along rows, then along columns. Taps below 1e-5 of the middle one, beyond 4.8
// standard deviations, are left out.
type separable struct {
	w, h   int
	radius int
	x, y   []float32 // weight of each tap, at each column and at each row; 2·radius+1 each
	values []float32 // w·h rows, filtered along the image's rows
}

func newSeparable(w, h int, sigma, weight float32) *separable {
	s := &separable{w: w, h: h, radius: int(4.8 * float64(sigma))}
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

func (s *separable) splat(in []float32, c int) {
	if len(s.values) != s.w*s.h*c {
		s.values = make([]float32, s.w*s.h*c)
	}
	parallel(s.h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			for x := range s.w {
				p := y*s.w + x
				row := s.values[p*c : (p+1)*c]
				clear(row)
				s.along(row, in, p, x, 1, s.w, s.x)
			}
		}
	})
}

func (s *separable) slice(row []float32, p int) {
	s.along(row, s.values, p, p/s.w, s.w, s.h, s.y)
}

// along adds to row the taps around pixel p, the i-th of the n on its axis,
// which lie step pixels apart.
func (s *separable) along(row, src []float32, p, i, step, n int, taps []float32) {
	first, last := max(0, i-s.radius), min(n-1, i+s.radius)
	from := i*(2*s.radius+1) + first - i + s.radius
	stride(row, src, p+(first-i)*step, step, taps[from:from+last-first+1])
}
