package prob

import (
	"math"
	"testing"
)

func TestSoftmax(t *testing.T) {
	z := []float32{1000, 999, 0}
	Softmax(z, z)
	for i, want := range []float64{1 / (1 + math.Exp(-1)), 1 / (1 + math.E), 0} {
		if math.Abs(float64(z[i])-want) > 1e-7 {
			t.Errorf("softmax %v: %v, want %v", i, z[i], want)
		}
	}
	for x, want := range map[float32]float32{0: 0.5, 100: 1, -100: 0} {
		if got := Sigmoid(x); math.Abs(float64(got-want)) > 1e-7 {
			t.Errorf("sigmoid of %v: %v, want %v", x, got, want)
		}
	}
}
