package scenes

import (
	"math"

	"wsss/data"
)

// rng is splitmix64: small, and defined here so that the pictures cannot
// change with the Go release.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return data.Mix(r.state)
}

// float is uniform in [0,1).
func (r *rng) float() float64 { return float64(r.next()>>11) / (1 << 53) }

func (r *rng) between(lo, hi float64) float64 { return lo + (hi-lo)*r.float() }

// intn is uniform in 0..n-1.
func (r *rng) intn(n int) int { return int(r.next() % uint64(n)) }

func (r *rng) chance(p float64) bool { return r.float() < p }

// seedFor is the seed of one image: it depends on the run's seed and the id
// only, so that asking for more images changes none.
func seedFor(seed int64, id string) uint64 {
	h := data.Mix(uint64(seed) + 0x9e3779b97f4a7c15)
	for _, b := range []byte(id) {
		h = data.Mix(h ^ uint64(b))
	}
	return h
}

// noise is value noise in [0,1): random values at integer points, smoothly
// interpolated.
func noise(seed uint64, x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int64(fx), int64(fy)
	tx, ty := smoothstep(x-fx), smoothstep(y-fy)
	at := func(dx, dy int64) float64 {
		h := data.Mix(seed ^ uint64(ix+dx)*0x9e3779b97f4a7c15 ^ uint64(iy+dy)*0xc2b2ae3d27d4eb4f)
		return float64(h>>40) / (1 << 24)
	}
	return lerp(lerp(at(0, 0), at(1, 0), tx), lerp(at(0, 1), at(1, 1), tx), ty)
}

// fractal sums octaves of noise, each twice as fine and half as strong; the
// result lies in [0,1).
func fractal(seed uint64, x, y float64, octaves int) float64 {
	sum, weight, total := 0.0, 1.0, 0.0
	for o := range octaves {
		sum += weight * noise(seed+uint64(o)*7919, x, y)
		total += weight
		x, y, weight = 2*x, 2*y, weight/2
	}
	return sum / total
}

func lerp(a, b, t float64) float64 { return a + (b-a)*t }

// smoothstep eases t in [0,1]; values outside are clamped.
func smoothstep(t float64) float64 {
	t = min(max(t, 0), 1)
	return t * t * (3 - 2*t)
}
