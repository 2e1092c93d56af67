package augment

import (
	"math"
	"math/rand/v2"
)

// blur draws the deviation of a sample's blur. Without the option nothing is
// drawn, so that it changes no other draw.
func (o Options) blur(rng *rand.Rand) float64 {
	if o.Blur <= 0 || rng.Float64() >= o.Blur {
		return 0
	}
	return rng.Float64()
}

// gaussian blurs a square of side×side×3 values in place, rows then columns;
// beyond the edge the pixels at the edge go on. PIL's filter comes close to it
// by box blurs.
func gaussian(pixels []float32, side int, sigma float64) {
	reach := int(math.Ceil(3 * sigma))
	weights := make([]float32, 2*reach+1)
	sum := 0.0
	for i := range weights {
		d := float64(i-reach) / sigma
		w := math.Exp(-d * d / 2)
		weights[i], sum = float32(w), sum+w
	}
	for i := range weights {
		weights[i] /= float32(sum)
	}
	line := make([]float32, 3*side)
	for _, step := range [][2]int{{3, 3 * side}, {3 * side, 3}} { // along a line, from line to line
		for n := range side {
			start := n * step[1]
			for i := range side {
				copy(line[3*i:3*i+3], pixels[start+i*step[0]:])
			}
			for i := range side {
				var c [3]float32
				for k, w := range weights {
					at := 3 * min(max(i+k-reach, 0), side-1)
					for ch := range c {
						c[ch] += w * line[at+ch]
					}
				}
				copy(pixels[start+i*step[0]:], c[:])
			}
		}
	}
}
