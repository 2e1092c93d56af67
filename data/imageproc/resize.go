// Package imageproc prepares images for the foundation models exactly as
// their reference code does with PIL: 8-bit antialiased resampling in two
// fixed-point passes, crops, and normalisation to planar float32.
package imageproc

import (
	"fmt"
	"image"
	"math"

	"wsss/data"
)

// RGB is an 8-bit colour image, three interleaved bytes per pixel, row-major.
type RGB struct {
	W, H int
	Pix  []uint8 // len 3*W*H
}

// NewRGB returns a black image.
func NewRGB(w, h int) *RGB { return &RGB{W: w, H: h, Pix: make([]uint8, 3*w*h)} }

// FromImage copies the colours of an image and drops its alpha, as PIL's
// convert("RGB") does.
func FromImage(img image.Image) *RGB {
	src := data.ToNRGBA(img)
	out := NewRGB(src.Rect.Dx(), src.Rect.Dy())
	for y := range out.H {
		row := src.Pix[y*src.Stride:]
		dst := out.Pix[3*y*out.W:]
		for x := range out.W {
			copy(dst[3*x:3*x+3], row[4*x:4*x+3])
		}
	}
	return out
}

// Mirror swaps left and right in place.
func (m *RGB) Mirror() {
	for y := range m.H {
		row := m.Pix[3*y*m.W : 3*(y+1)*m.W]
		for a, b := 0, m.W-1; a < b; a, b = a+1, b-1 {
			for c := range 3 {
				row[3*a+c], row[3*b+c] = row[3*b+c], row[3*a+c]
			}
		}
	}
}

// Filter is a resampling kernel of PIL.
type Filter struct {
	support float64
	at      func(x float64) float64
}

// The kernels of PIL that the models use. Both widen when an image shrinks
// (antialiasing).
var (
	Bilinear = Filter{1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }}
	Bicubic  = Filter{2, bicubic}
)

func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// precision is the number of fraction bits of PIL's 8-bit kernels.
const precision = 32 - 8 - 2

// fixed is a weight in fixed point.
func fixed(w float64) int32 { return int32(w*(1<<precision) + math.Copysign(0.5, w)) }

// taps are the weights of one output pixel: input pixels from first on.
type taps[W int32 | float32] struct {
	first   int
	weights []W
}

// tapsOf are the weights of every output pixel, which sum up to 1 before they are
// rounded.
func tapsOf[W int32 | float32](f Filter, in, out int, round func(w float64) W) []taps[W] {
	scale := float64(in) / float64(out)
	wide := max(scale, 1)
	support := f.support * wide
	all := make([]taps[W], out)
	var exact []float64
	for i := range all {
		centre := (float64(i) + 0.5) * scale
		first := max(0, int(centre-support+0.5))
		last := min(in, int(centre+support+0.5))
		exact = exact[:0]
		sum := 0.0
		for j := first; j < last; j++ {
			w := f.at((float64(j) - centre + 0.5) * (1 / wide))
			exact = append(exact, w)
			sum += w
		}
		all[i] = taps[W]{first, make([]W, len(exact))}
		for k, w := range exact {
			if sum != 0 {
				w /= sum
			}
			all[i].weights[k] = round(w)
		}
	}
	return all
}

// Resize resamples to w×h with PIL's arithmetic, bit for bit. Both sides must
// be positive.
func (m *RGB) Resize(w, h int, f Filter) *RGB {
	if w <= 0 || h <= 0 {
		panic(fmt.Sprintf("imageproc: resize to %d×%d", w, h))
	}
	out := m
	if w != m.W {
		out = resizeRows(out, w, f)
	}
	if h != m.H {
		out = resizeColumns(out, h, f)
	}
	return out
}

func resizeRows(m *RGB, w int, f Filter) *RGB {
	out := NewRGB(w, m.H)
	all := tapsOf(f, m.W, w, fixed)
	for y := range m.H {
		row := m.Pix[3*y*m.W : 3*(y+1)*m.W]
		dst := out.Pix[3*y*w : 3*(y+1)*w]
		for x, t := range all {
			const half = 1 << (precision - 1)
			r, g, b := int32(half), int32(half), int32(half)
			src := row[3*t.first : 3*(t.first+len(t.weights))]
			for _, k := range t.weights {
				r += k * int32(src[0])
				g += k * int32(src[1])
				b += k * int32(src[2])
				src = src[3:]
			}
			dst[3*x], dst[3*x+1], dst[3*x+2] = clip8(r), clip8(g), clip8(b)
		}
	}
	return out
}

func resizeColumns(m *RGB, h int, f Filter) *RGB {
	out := NewRGB(m.W, h)
	stride := 3 * m.W
	sums := make([]int32, stride)
	for y, t := range tapsOf(f, m.H, h, fixed) {
		for i := range sums {
			sums[i] = 1 << (precision - 1)
		}
		for j, k := range t.weights {
			row := m.Pix[(t.first+j)*stride : (t.first+j+1)*stride]
			for i, v := range row {
				sums[i] += k * int32(v)
			}
		}
		dst := out.Pix[y*stride : (y+1)*stride]
		for i, s := range sums {
			dst[i] = clip8(s)
		}
	}
	return out
}

func clip8(v int32) uint8 { return uint8(min(max(v>>precision, 0), 255)) }
