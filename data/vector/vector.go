// Package vector computes with the few vectors that are compared on the host, where
// no network's graph does.
package vector

import "math"

// Dot is the inner product of two vectors of one length.
func Dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32 // several sums, which need not wait for each other
	n := len(a) &^ 3
	for i := 0; i < n; i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for i := n; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

// Length is the Euclidean length, in double precision.
func Length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// Normalise scales v to length 1 and returns what its length was; zeros stay.
func Normalise(v []float32) float64 {
	length := Length(v)
	if length == 0 {
		return 0
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / length)
	}
	return length
}

// Transpose turns [n][m] into [m][n].
func Transpose(v []float32, n, m int) []float32 {
	out := make([]float32, len(v))
	for i := range n {
		for j := range m {
			out[j*n+i] = v[i*m+j]
		}
	}
	return out
}
