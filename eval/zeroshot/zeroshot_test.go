package zeroshot

import (
	"context"
	"errors"
	"image"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
)

// brightMethod marks bright pixels as class 1.
type brightMethod struct{ err error }

func (m brightMethod) Generate(_ context.Context, s *data.Sample) ([]gen.Mask, error) {
	w, h := s.Image.Rect.Dx(), s.Image.Rect.Dy()
	bits := make([]uint8, w*h)
	for i := range bits {
		if s.Image.Pix[4*i] > 100 {
			bits[i] = 1
		}
	}
	return []gen.Mask{{Class: 1, Bits: data.EncodeRLE(bits, w, h), Score: 1}}, m.err
}

func TestPredict(t *testing.T) {
	fuser, err := gen.NewFuser(configs.Fuse{Rule: "score"}, data.Classes{})
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	img.Pix[4*4] = 200 // pixel (1,1)
	got, err := Predictor{Method: brightMethod{}, Fuser: fuser}.Predict(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	want := []uint8{0, 0, 0, 0, 1, 0}
	if got.W != 3 || got.H != 2 || string(got.Pix) != string(want) {
		t.Errorf("label map %d×%d %v, want 3×2 %v", got.W, got.H, got.Pix, want)
	}
	broken := errors.New("no tags")
	if _, err := (Predictor{Method: brightMethod{broken}, Fuser: fuser}).Predict(context.Background(), img); !errors.Is(err, broken) {
		t.Errorf("error %v, want the method's", err)
	}
}
