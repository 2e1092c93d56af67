package crf

import (
	"math"
	"path/filepath"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

// readPhoto is a VOC photo of 500×375.
func readPhoto(t testing.TB) Image {
	photo, err := data.ReadImage(filepath.Join(datatest.Shared(t), "voc_mini/JPEGImages/2007_000063.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	img := Image{W: photo.Rect.Dx(), H: photo.Rect.Dy()}
	for i := 0; i < len(photo.Pix); i += 4 {
		img.RGB = append(img.RGB, photo.Pix[i:i+3]...)
	}
	return img
}

// TestLatticeOnPhoto: on a crop of a photo the lattice's labels are those of
// the sum over all pairs but for few pixels.
func TestLatticeOnPhoto(t *testing.T) {
	photo := readPhoto(t)
	const w, h, classes = 56, 44, 4
	img := Image{W: w, H: h}
	for y := range h {
		from := 3 * ((y+150)*photo.W + 200)
		img.RGB = append(img.RGB, photo.RGB[from:from+3*w]...)
	}
	_, unary := scene(w, h, classes, 5)
	for _, p := range []Params{DeepLab(), IRN()} {
		got, err := Infer(img, unary, classes, p)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Infer(img, unary, classes, exactly(p))
		if err != nil {
			t.Fatal(err)
		}
		var sum, worst float64
		for i := range got {
			e := math.Abs(float64(got[i] - want[i]))
			sum, worst = sum+e, max(worst, e)
		}
		differ := 0
		a, b := Labels(got, w, h, classes, 0), Labels(want, w, h, classes, 0)
		for i := range a.Pix {
			if a.Pix[i] != b.Pix[i] {
				differ++
			}
		}
		mean, share := sum/float64(len(got)), float64(differ)/(w*h)
		t.Logf("%+v: mean |error| %.2g, worst %.2g, other label %.4f", p, mean, worst, share)
		if mean > 0.02 || share > 0.02 {
			t.Errorf("mean error %.4f (want <= 0.02), other label %.4f of the pixels (want <= 0.02)", mean, share)
		}
	}
}

// BenchmarkInferPhoto is a VOC photo, 21 classes, 10 iterations.
func BenchmarkInferPhoto(b *testing.B) {
	img := readPhoto(b)
	w, h := img.W, img.H
	_, unary := scene(w, h, 21, 1)
	b.Logf("%dx%d", w, h)
	for b.Loop() {
		if _, err := Infer(img, unary, 21, DeepLab()); err != nil {
			b.Fatal(err)
		}
	}
}
