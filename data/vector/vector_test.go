package vector

import (
	"math"
	"testing"
)

// TestVectors compares with sums in double precision, at lengths around a multiple of
// four.
func TestVectors(t *testing.T) {
	for n := range 11 {
		a, b := make([]float32, n), make([]float32, n+2)
		want, square := 0.0, 0.0
		for i := range a {
			a[i], b[i] = float32(i*i%7)-3, float32(i%5)+0.5
			want += float64(a[i]) * float64(b[i])
			square += float64(a[i]) * float64(a[i])
		}
		if got := float64(Dot(a, b)); math.Abs(got-want) > 1e-5 {
			t.Errorf("%d values: product %v, want %v", n, got, want)
		}
		length := Normalise(a)
		if math.Abs(length-math.Sqrt(square)) > 1e-12 {
			t.Errorf("%d values: length %v, want %v", n, length, math.Sqrt(square))
		}
		if got := Length(a); length > 0 && math.Abs(got-1) > 1e-6 || length == 0 && got != 0 {
			t.Errorf("%d values: length %v after Normalise", n, got)
		}
	}
}
