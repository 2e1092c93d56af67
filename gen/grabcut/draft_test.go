package grabcut

import (
	"image"
	"testing"

	"wsss/data"
	"wsss/gen"
)

// TestDraft: the quick answer finds the same object as the exact one, to its
// outline, keeps to what the prompt settles, and is the same the second time.
func TestDraft(t *testing.T) {
	disc1, disc2 := image.Rect(120, 150, 421, 390), image.Rect(510, 240, 783, 541)
	img, truth := disc(903, 661, disc1, disc2)
	m := newMethod(t, data.WeakBoxes, nil).(*method)
	on, err := m.Look(t.Context(), &data.Sample{Image: img})
	if err != nil {
		t.Fatal(err)
	}
	boxOf := func(r image.Rectangle, class int) *data.Box {
		return &data.Box{X0: float32(r.Min.X), Y0: float32(r.Min.Y), X1: float32(r.Max.X), Y1: float32(r.Max.Y), Class: class}
	}
	for _, tt := range []struct {
		name  string
		p     gen.Prompt
		least float64 // of the disc; 0 = an empty mask
	}{
		{"box", gen.Prompt{Class: 1, Box: boxOf(disc1, 1)}, 0.98},
		{"box and click", gen.Prompt{Class: 2, Box: boxOf(disc2, 2), Points: []data.Point{{X: 640, Y: 380, Class: 2}}}, 0.98},
		{"clicks", gen.Prompt{Class: 1, Points: []data.Point{{X: 270, Y: 270, Class: 1}, {X: 640, Y: 380}, {X: 20, Y: 20}}}, 0.97},
		{"a click out of it alone", gen.Prompt{Class: 1, Points: []data.Point{{X: 20, Y: 20}}}, 0},
		{"box outside", gen.Prompt{Class: 1, Box: boxOf(image.Rect(1000, 10, 1100, 40), 1)}, 0},
	} {
		got, err := on.(gen.Drafter).Draft(t.Context(), tt.p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Class != tt.p.Class || got.Bits.W != 903 || got.Bits.H != 661 {
			t.Errorf("%s: class %d, %d×%d", tt.name, got.Class, got.Bits.W, got.Bits.H)
		}
		if tt.least == 0 {
			if got.Bits.Area() != 0 {
				t.Errorf("%s: %d pixels", tt.name, got.Bits.Area())
			}
			continue
		}
		if v := iou(t, []gen.Mask{got}, truth, tt.p.Class); v < tt.least {
			t.Errorf("%s: IoU %.4f with the disc, want %.2f", tt.name, v, tt.least)
		}
		if b := tt.p.Box; b != nil && !got.Bits.Bounds().In(b.Rect()) {
			t.Errorf("%s: mask %v beyond its box %v", tt.name, got.Bits.Bounds(), b.Rect())
		}
		again, err := on.(gen.Drafter).Draft(t.Context(), tt.p)
		if err != nil || again.Bits.COCOString() != got.Bits.COCOString() {
			t.Errorf("%s: another mask the second time, %v", tt.name, err)
		}
	}
}

// An object that no cut finds is an ellipse in the draft, too.
func TestDraftGivesWay(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 700, 600))
	for i := range img.Pix {
		img.Pix[i] = 128
	}
	m := newMethod(t, data.WeakBoxes, map[string]any{"min_fill": 1.0}).(*method)
	on, err := m.Look(t.Context(), &data.Sample{Image: img})
	if err != nil {
		t.Fatal(err)
	}
	p := gen.Prompt{Class: 1, Box: &data.Box{X0: 100, Y0: 101, X1: 500, Y1: 400, Class: 1}}
	got, err := on.(gen.Drafter).Draft(t.Context(), p)
	want, err2 := on.Mask(t.Context(), p)
	if err != nil || err2 != nil || got.Note == "" || got.Bits.COCOString() != want.Bits.COCOString() {
		t.Errorf("%q of %d pixels, want %q of %d (%v, %v)", got.Note, got.Bits.Area(), want.Note, want.Bits.Area(), err, err2)
	}
}

// BenchmarkDraft: clicks into a photo of a megapixel, each as the page asks.
func BenchmarkDraft(b *testing.B) {
	img, _ := disc(1024, 1024, image.Rect(200, 200, 700, 600))
	m, err := gen.New(genEnv(data.WeakBoxes))
	if err != nil {
		b.Fatal(err)
	}
	on, err := m.(gen.Prompter).Look(b.Context(), &data.Sample{Image: img})
	if err != nil {
		b.Fatal(err)
	}
	p := gen.Prompt{Class: 1, Points: []data.Point{{X: 450, Y: 400, Class: 1}}}
	for b.Loop() {
		if _, err := on.(gen.Drafter).Draft(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}
