package augment

import (
	"math"
	"testing"
)

// A blurred dot is a Gaussian: its sum stays, its spread is the deviation.
func TestGaussian(t *testing.T) {
	const side, sigma = 21, 0.8
	p := make([]float32, side*side*3)
	p[(10*side+8)*3+1] = 1
	gaussian(p, side, sigma)
	var sum, spreadX, spreadY float64
	for y := range side {
		for x := range side {
			v := float64(p[(y*side+x)*3+1])
			sum += v
			spreadX += v * float64((x-8)*(x-8))
			spreadY += v * float64((y-10)*(y-10))
			if p[(y*side+x)*3] != 0 || p[(y*side+x)*3+2] != 0 {
				t.Fatal("another channel has changed")
			}
		}
	}
	for name, v := range map[string][2]float64{"sum": {sum, 1}, "variance in x": {spreadX, sigma * sigma}, "variance in y": {spreadY, sigma * sigma}} {
		if math.Abs(v[0]-v[1]) > 0.03*v[1] {
			t.Errorf("%s = %v, want %v", name, v[0], v[1])
		}
	}
	flat := make([]float32, side*side*3)
	for i := range flat {
		flat[i] = 2
	}
	gaussian(flat, side, 0.9)
	for _, v := range flat {
		if math.Abs(float64(v)-2) > 1e-5 {
			t.Fatalf("an even image becomes %v", v)
		}
	}
}

func TestScaleByCrop(t *testing.T) {
	o := Options{Crop: 100, Scales: []float64{0.5}, ByCrop: true}
	if d := o.Draw(RNG(1, 0, 0), 400, 200); d.W != 100 || d.H != 50 {
		t.Errorf("400×200 is scaled to %d×%d, want 100×50", d.W, d.H)
	}
	with := Options{Crop: 10, Scales: []float64{1}, Flip: true, Blur: 0.5}
	without, blurred := with, 0
	without.Blur = 0
	for i := range int64(400) {
		a, b := with.Draw(RNG(1, 0, i), 40, 40), without.Draw(RNG(1, 0, i), 40, 40)
		if a.At != b.At || a.Flip != b.Flip || a.Blur < 0 || a.Blur >= 1 {
			t.Fatalf("draws %+v and %+v", a, b)
		}
		if a.Blur > 0 {
			blurred++
		}
	}
	if blurred < 150 || blurred > 250 {
		t.Errorf("%d of 400 are blurred, want half", blurred)
	}
}
