// Package prob turns logits into probabilities on the host, where a network's
// graph does not.
package prob

import (
	"math"
	"slices"
)

// Softmax sets dst to e^z over its sum, in double precision; dst may be z. It
// panics where z is empty.
func Softmax[T float32 | float64](dst, z []T) {
	top, sum := slices.Max(z), 0.0
	for i, v := range z {
		e := math.Exp(float64(v - top))
		dst[i] = T(e)
		sum += e
	}
	for i := range z {
		dst[i] = T(float64(dst[i]) / sum)
	}
}

// Sigmoid is 1/(1+e^-x), in double precision.
func Sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
