package refine

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"slices"
	"testing"

	"wsss/data"
	"wsss/models"
	"wsss/models/crf"
)

var _ models.Refiner = (*CRF)(nil)

// blurry is a network that knows a square only roughly.
type blurry struct {
	truth *data.LabelMap
	err   error
}

func (b blurry) Scores(_ context.Context, img *image.NRGBA, f func(int, []float32)) error {
	r := rand.New(rand.NewPCG(3, 4))
	for i, v := range b.truth.Pix {
		z := []float32{0, 0, 0}
		z[v] = 1.2
		if r.IntN(5) == 0 {
			z[r.IntN(3)] += 1.5
		}
		f(i, z)
	}
	return b.err
}

func TestCRF(t *testing.T) {
	const w, h = 48, 40
	img, truth := image.NewNRGBA(image.Rect(0, 0, w, h)), data.NewLabelMap(w, h)
	for y := range h {
		for x := range w {
			c := color.NRGBA{120, 110, 100, 255}
			if x >= 12 && x < 36 && y >= 10 && y < 30 {
				c = color.NRGBA{220, 40, 30, 255}
				truth.Set(x, y, 2)
			}
			img.SetNRGBA(x, y, c)
		}
	}
	wrong := func(m *data.LabelMap) (n int) {
		for i := range m.Pix {
			if m.Pix[i] != truth.Pix[i] {
				n++
			}
		}
		return n
	}
	off := crf.DeepLab()
	off.Iterations = 0
	plain, err := (&CRF{Net: blurry{truth, nil}, Classes: 3, Params: off}).Predict(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	if n := wrong(plain); n < 100 {
		t.Fatalf("the network alone is wrong on %d pixels only", n)
	}
	for _, wrapped := range []bool{false, true} {
		c := &CRF{Net: blurry{truth, nil}, Classes: 3, Params: crf.DeepLab(), Wrapped: wrapped}
		got, err := c.Predict(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if n := wrong(got); n > 4 {
			t.Errorf("wrapped %t: %d pixels are wrong after the field, %d before", wrapped, n, wrong(plain))
		}
	}
	if _, err := (&CRF{Net: blurry{truth, errors.New("power cut")}, Classes: 3, Params: crf.DeepLab()}).Predict(context.Background(), img); err == nil {
		t.Error("the network's error is lost")
	}
}

func TestPicture(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.SetNRGBA(0, 0, color.NRGBA{255, 0, 104, 255})
	img.SetNRGBA(1, 0, color.NRGBA{122, 117, 105, 255})
	if got := crf.ImageOf(img, false).RGB; !slices.Equal(got, []uint8{255, 0, 104, 122, 117, 105}) {
		t.Errorf("plain picture %v", got)
	}
	// NumPy: (np.array([...], float32) - mean).astype(np.uint8), by way of int.
	if got := crf.ImageOf(img, true).RGB; !slices.Equal(got, []uint8{132, 140, 0, 0, 0, 0}) {
		t.Errorf("wrapped picture %v", got)
	}
}
