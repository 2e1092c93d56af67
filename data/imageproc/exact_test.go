package imageproc

import (
	"math"
	"testing"
)

// TestPlanarResized: where nothing is rounded in between, a resized image is within half a
// byte per pass of PIL's, and an image of even colour stays it.
func TestPlanarResized(t *testing.T) {
	img := NewRGB(23, 17)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i % 251)
	}
	unit := Norm{Std: [3]float32{1, 1, 1}}
	for _, size := range [][2]int{{23, 17}, {64, 64}, {9, 5}, {40, 8}} {
		w, h := size[0], size[1]
		exact, rounded := img.PlanarResized(w, h, Bilinear, unit), img.Resize(w, h, Bilinear)
		same := w == img.W && h == img.H
		for c := range 3 {
			for i := range w * h {
				diff := math.Abs(float64(exact[c*w*h+i]) - float64(rounded.Pix[3*i+c]))
				if diff > 1.01 || same && diff != 0 {
					t.Fatalf("%d×%d: %v for %d", w, h, exact[c*w*h+i], rounded.Pix[3*i+c])
				}
			}
		}
	}
	even := NewRGB(7, 5)
	for i := range even.Pix {
		even.Pix[i] = []uint8{10, 20, 30}[i%3]
	}
	for i, v := range even.PlanarResized(31, 3, Bilinear, unit) {
		if want := []float64{10, 20, 30}[i/(31*3)]; math.Abs(float64(v)-want) > 1e-4 {
			t.Fatalf("even colour %v became %v", want, v)
		}
	}
}
