package photo

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// difference is the mean and the largest difference of two images' colours.
func difference(t *testing.T, got *image.NRGBA, want image.Image) (mean float64, most int) {
	t.Helper()
	if got.Rect.Size() != want.Bounds().Size() {
		t.Fatalf("image of %v, want %v", got.Rect, want.Bounds())
	}
	sum := 0
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			r, g, b, _ := want.At(x, y).RGBA()
			p := got.Pix[got.PixOffset(x, y):]
			for c, w := range []uint32{r, g, b} {
				d := int(p[c]) - int(w>>8)
				d = max(d, -d)
				sum, most = sum+d, max(most, d)
			}
			if p[3] != 255 {
				t.Fatalf("pixel (%d,%d) has alpha %d", x, y, p[3])
			}
		}
	}
	return float64(sum) / float64(3*got.Rect.Dx()*got.Rect.Dy()), most
}

func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestEqualPillow compares every kind of photo with what Pillow makes of it
// (testdata/gen_photos.py): lossy JPEG to rounding, all else to the bit.
func TestEqualPillow(t *testing.T) {
	want, err := filepath.Glob("testdata/*.*.png")
	if err != nil || len(want) < 40 {
		t.Fatalf("%d photos (%v)", len(want), err)
	}
	for _, w := range want {
		path := strings.TrimSuffix(w, ".png")
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			mean, most := difference(t, got, readPNG(t, w))
			maxMean, maxMost := 0., 0
			if filepath.Ext(path) == ".jpg" {
				maxMean, maxMost = 0.3, 4
			}
			if mean > maxMean || most > maxMost {
				t.Errorf("mean difference %.3f, most %d", mean, most)
			} else {
				t.Logf("mean difference %.3f, most %d", mean, most)
			}
		})
	}
}
