package augment

import (
	"image"
	"math"
	"math/rand/v2"
)

// Jitter bounds changes of colour, as torchvision's ColorJitter: brightness,
// contrast and saturation are multiplied by a factor from 1 − v to 1 + v, the hue
// is turned by up to v of the circle.
type Jitter struct{ Brightness, Contrast, Saturation, Hue float64 }

// recolour is what chance decided of a Jitter.
type recolour struct {
	order   [4]int // of brightness, contrast, saturation, hue
	factors [4]float64
}

// draw decides, in torchvision's order: first the order of the changes, then
// their factors. Without the option nothing is drawn.
func (j Jitter) draw(rng *rand.Rand) *recolour {
	if j == (Jitter{}) {
		return nil
	}
	r := &recolour{}
	copy(r.order[:], rng.Perm(4))
	for i, v := range []float64{j.Brightness, j.Contrast, j.Saturation} {
		low := max(0, 1-v)
		r.factors[i] = low + rng.Float64()*(1+v-low)
	}
	r.factors[3] = (2*rng.Float64() - 1) * j.Hue
	return r
}

// apply changes the pixels of a rectangle of a crop, normalised by in. What is
// padding lies outside of it.
func (r *recolour) apply(pixels []float32, side int, within image.Rectangle, in Input) {
	n := within.Dx() * within.Dy()
	if n == 0 {
		return
	}
	rgb := make([]float64, 0, 3*n) // 0..1
	each := func(f func(p []float32)) {
		for y := within.Min.Y; y < within.Max.Y; y++ {
			for x := within.Min.X; x < within.Max.X; x++ {
				f(pixels[3*(y*side+x):][:3])
			}
		}
	}
	each(func(p []float32) {
		var v [3]float64
		for k, c := range in.order {
			v[c] = clamp(float64((p[k]-in.shift[k])/in.scale[k]) / 255)
		}
		rgb = append(rgb, v[:]...)
	})
	for _, change := range r.order {
		f := r.factors[change]
		switch change {
		case 0:
			blend(rgb, f, func([]float64) float64 { return 0 })
		case 1:
			mean := 0.0
			for i := 0; i < len(rgb); i += 3 {
				mean += grey(rgb[i:])
			}
			mean /= float64(n)
			blend(rgb, f, func([]float64) float64 { return mean })
		case 2:
			blend(rgb, f, grey)
		case 3:
			for i := 0; i < len(rgb); i += 3 {
				turn(rgb[i:i+3], f)
			}
		}
	}
	i := 0
	each(func(p []float32) {
		for k, c := range in.order {
			p[k] = float32(rgb[i+c]*255)*in.scale[k] + in.shift[k]
		}
		i += 3
	})
}

func clamp(v float64) float64 { return min(max(v, 0), 1) }

// grey is ITU-R 601's luma of a pixel.
func grey(p []float64) float64 { return 0.299*p[0] + 0.587*p[1] + 0.114*p[2] }

// blend moves pixels away from what other gives for each, by a factor.
func blend(rgb []float64, f float64, other func(p []float64) float64) {
	for i := 0; i < len(rgb); i += 3 {
		p := rgb[i : i+3]
		base := (1 - f) * other(p)
		for c := range p {
			p[c] = clamp(f*p[c] + base)
		}
	}
}

// turn moves the hue of a pixel by a share of the circle.
func turn(p []float64, by float64) {
	high, low := max(p[0], p[1], p[2]), min(p[0], p[1], p[2])
	c := high - low
	if c == 0 || by == 0 {
		return
	}
	var h float64
	switch high {
	case p[0]:
		h = (p[1] - p[2]) / c
	case p[1]:
		h = 2 + (p[2]-p[0])/c
	default:
		h = 4 + (p[0]-p[1])/c
	}
	h = math.Mod(h/6+by+2, 1) * 6
	for i, shift := range []float64{5, 3, 1} { // of HSV's back-transform
		k := math.Mod(shift+h, 6)
		p[i] = high - c*min(max(min(k, 4-k), 0), 1)
	}
}
