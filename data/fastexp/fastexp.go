// Package fastexp holds e^x for x <= 0 in single precision, some times faster than
// math.Exp: it is called for every pixel, and class or edge.
package fastexp

import "math"

// Exp has a relative error below 2e-7.
func Exp(x float32) float32 {
	if x < -87 {
		return 0
	}
	const log2e, ln2hi, ln2lo = 1.44269504, 0.693359375, -2.12194440e-4
	k := float32(math.Floor(float64(float32(x*log2e) + 0.5)))
	r := x - float32(k*ln2hi)
	r -= float32(k * ln2lo)
	p := float32(1.9875691500e-4)
	for _, c := range [...]float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		p = float32(p*r) + c
	}
	p = float32(float32(p*r)*r) + r + 1
	return p * math.Float32frombits(uint32(int32(k)+127)<<23)
}

// Rough has a relative error below 2e-5.
func Rough(x float32) float32 {
	if x < -80 {
		return 0
	}
	const log2e, ln2 = 1.44269504, 0.693147181
	k := int32(x*log2e - 0.5) // truncation towards zero rounds, as x <= 0
	r := x - float32(float32(k)*ln2)
	p := float32(1.0/720)*r + 1.0/120
	for _, c := range [...]float32{1.0 / 24, 1.0 / 6, 0.5, 1, 1} {
		p = float32(p*r) + c
	}
	return p * math.Float32frombits(uint32(k+127)<<23)
}
