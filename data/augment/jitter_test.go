package augment

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"wsss/data"
)

// TestRecolour compares with torchvision's functional.adjust_* of one colour and
// of a pair.
func TestRecolour(t *testing.T) {
	for _, c := range []struct {
		name string
		r    recolour
		want []float64 // of (0.8, 0.4, 0.2) beside (0.2, 0.2, 0.2)
	}{
		{"nothing", recolour{factors: [4]float64{1, 1, 1, 0}}, []float64{0.8, 0.4, 0.2, 0.2, 0.2, 0.2}},
		{"brightness", recolour{factors: [4]float64{1.5, 1, 1, 0}}, []float64{1, 0.6, 0.3, 0.3, 0.3, 0.3}},
		{"contrast", recolour{factors: [4]float64{1, 0.5, 1, 0}}, []float64{0.5742, 0.3742, 0.2742, 0.2742, 0.2742, 0.2742}},
		{"saturation", recolour{factors: [4]float64{1, 1, 0, 0}}, []float64{0.4968, 0.4968, 0.4968, 0.2, 0.2, 0.2}},
		{"a third of the circle", recolour{factors: [4]float64{1, 1, 1, 1. / 3}}, []float64{0.2, 0.8, 0.4, 0.2, 0.2, 0.2}},
		{"half of the circle", recolour{factors: [4]float64{1, 1, 1, 0.5}}, []float64{0.2, 0.6, 0.8, 0.2, 0.2, 0.2}},
	} {
		c.r.order = [4]int{0, 1, 2, 3}
		for _, in := range []Input{Torch(), Caffe()} {
			pixels := make([]float32, 3*9)
			for i, v := range []float64{0.8, 0.4, 0.2, 0.2, 0.2, 0.2} {
				for k, from := range in.order {
					if from == i%3 {
						pixels[3*(4+i/3)+k] = float32(v*255)*in.scale[k] + in.shift[k]
					}
				}
			}
			c.r.apply(pixels, 3, image.Rect(1, 1, 3, 2), in)
			for i, want := range c.want {
				for k, from := range in.order {
					if from != i%3 {
						continue
					}
					if got := float64((pixels[3*(4+i/3)+k]-in.shift[k])/in.scale[k]) / 255; math.Abs(got-want) > 1e-3 {
						t.Errorf("%s: channel %d is %.4f, want %.4f", c.name, i, got, want)
					}
				}
			}
			if slices.ContainsFunc(pixels[:12], func(v float32) bool { return v != 0 }) {
				t.Errorf("%s: the padding is changed", c.name)
			}
		}
	}
}

// TestJitterDraws: factors stay within their bounds, the option leaves the other
// draws as they are, and the crop changes.
func TestJitterDraws(t *testing.T) {
	plain := Options{Crop: 20, ScaleRange: []float64{0.5, 1}, Flip: true, Input: Torch()}
	with := plain
	with.Jitter = Jitter{0.4, 0.3, 0.2, 0.1}
	low, high := [4]float64{9, 9, 9, 9}, [4]float64{-9, -9, -9, -9}
	for i := range int64(300) {
		a, b := plain.Draw(RNG(1, 0, i), 40, 30), with.Draw(RNG(1, 0, i), 40, 30)
		if a.W != b.W || a.At != b.At || a.Flip != b.Flip || a.recolour != nil || b.recolour == nil {
			t.Fatalf("%+v, without jitter %+v", b, a)
		}
		for k, f := range b.recolour.factors {
			low[k], high[k] = min(low[k], f), max(high[k], f)
		}
	}
	for k, want := range [][2]float64{{0.6, 1.4}, {0.7, 1.3}, {0.8, 1.2}, {-0.1, 0.1}} {
		if low[k] < want[0] || high[k] > want[1] || high[k]-low[k] < 0.8*(want[1]-want[0]) {
			t.Errorf("factor %d is in [%g, %g], want nearly %v", k, low[k], high[k], want)
		}
	}
	img, truth := image.NewNRGBA(image.Rect(0, 0, 12, 30)), data.NewLabelMap(12, 30)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
	}
	var crops [2][]float32
	for k, o := range []Options{plain, with} {
		crops[k] = make([]float32, 20*20*3)
		labels := make([]uint8, 20*20)
		if err := o.Apply(crops[k], labels, img, truth, o.Draw(RNG(1, 0, 3), 12, 30)); err != nil {
			t.Fatal(err)
		}
		for i, l := range labels {
			if l == data.Ignore && (crops[k][3*i] != 0 || crops[k][3*i+1] != 0 || crops[k][3*i+2] != 0) {
				t.Fatal("padding is coloured")
			}
		}
	}
	if slices.Equal(crops[0], crops[1]) {
		t.Error("the crop is unchanged")
	}
}

// TestLargeScale: by "crop-long" the long side becomes scale · crop.
func TestLargeScale(t *testing.T) {
	o := Options{Crop: 100, Scales: []float64{0.1, 2}, ByLong: true, Input: Torch()}
	for i := range int64(20) {
		if d := o.Draw(RNG(1, 0, i), 400, 200); d.W != 10 && d.W != 200 || d.W != 2*d.H {
			t.Errorf("%+v", d)
		}
	}
}
