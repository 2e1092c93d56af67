package imageproc

import (
	"crypto/sha256"
	"encoding/hex"
	"image"
	"testing"

	"wsss/data/datatest"
)

// picture is the made image of testdata/gen_pil.py.
func picture(w, h int) *RGB {
	m := NewRGB(w, h)
	for y := range h {
		for x := range w {
			for c := range 3 {
				m.Pix[3*(y*w+x)+c] = uint8((x*x*3 + y*7 + x*y + c*85) % 256 * ((x/5 + y/3 + c) % 2))
			}
		}
	}
	return m
}

func sha(m *RGB) string {
	sum := sha256.Sum256(m.Pix)
	return hex.EncodeToString(sum[:])
}

type fixtures struct {
	Resize []struct {
		In, Out [2]int
		Filter  string
		SHA     string
	}
	CLIP []struct {
		In  [2]int
		SHA string
	}
	Norm []float32
}

func load(t *testing.T) (f fixtures) {
	t.Helper()
	datatest.JSON(t, "testdata/pil.json", &f)
	return f
}

// TestResizeEqualsPIL: every byte equal.
func TestResizeEqualsPIL(t *testing.T) {
	filters := map[string]Filter{"bilinear": Bilinear, "bicubic": Bicubic}
	for _, c := range load(t).Resize {
		got := picture(c.In[0], c.In[1]).Resize(c.Out[0], c.Out[1], filters[c.Filter])
		if got.W != c.Out[0] || got.H != c.Out[1] || sha(got) != c.SHA {
			t.Errorf("%v → %v %s differs from PIL", c.In, c.Out, c.Filter)
		}
	}
}

// TestCLIPGeometry holds short-side resize plus centre crop to torchvision.
func TestCLIPGeometry(t *testing.T) {
	for _, c := range load(t).CLIP {
		if got := picture(c.In[0], c.In[1]).ResizeShort(224, Bicubic).CentreCrop(224); sha(got) != c.SHA {
			t.Errorf("%v differs from torchvision", c.In)
		}
	}
}

// TestPlanar holds normalisation to torch, within one unit in the last place.
func TestPlanar(t *testing.T) {
	want := load(t).Norm
	dst := make([]float32, 3*8*5)
	picture(6, 4).Planar(CLIPNorm, dst, 8, 5)
	for c := range 3 {
		for y := range 5 {
			for x := range 8 {
				got := dst[(c*5+y)*8+x]
				var w float32
				if x < 6 && y < 4 {
					w = want[(c*4+y)*6+x]
				}
				if d := got - w; d > 3e-7 || d < -3e-7 {
					t.Fatalf("(%d,%d) channel %d: %g, want %g", x, y, c, got, w)
				}
			}
		}
	}
}

func TestFromImageDropsAlpha(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	copy(img.Pix, []uint8{10, 20, 30, 0, 40, 50, 60, 255})
	if got := FromImage(img).Pix; string(got) != string([]uint8{10, 20, 30, 40, 50, 60}) {
		t.Errorf("got %v", got)
	}
}

func TestCropOutside(t *testing.T) {
	got := picture(4, 4).Crop(image.Rect(2, 3, 6, 5))
	want := NewRGB(4, 2)
	copy(want.Pix, picture(4, 4).Pix[3*(3*4+2):3*16])
	if string(got.Pix) != string(want.Pix) {
		t.Errorf("got %v, want %v", got.Pix, want.Pix)
	}
}

func BenchmarkResize(b *testing.B) {
	m := picture(500, 375)
	for b.Loop() {
		m.Resize(1024, 768, Bilinear)
	}
}
