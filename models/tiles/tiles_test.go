package tiles

import (
	"context"
	"errors"
	"image"
	"testing"

	"wsss/data"
	"wsss/models"
)

// near labels a pixel by its red value, except near the border of what it
// sees: there it is wrong, as a network without surroundings may be.
type near struct {
	t     *testing.T
	seen  map[image.Point]int
	blind int
}

func (n near) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	n.seen[img.Rect.Size()]++
	m := data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy())
	for i := range m.Pix {
		x, y := i%m.W, i/m.W
		m.Pix[i] = img.Pix[y*img.Stride+4*x]
		// The first and last columns and rows of the whole image hold 200 and more.
		inner := x >= n.blind && y >= n.blind && x < m.W-n.blind && y < m.H-n.blind
		if !inner && m.Pix[i] < 200 {
			m.Pix[i] = data.Ignore
		}
	}
	return m, nil
}

func picture(w, h, border int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := (x*7 + y*13) % 200
			if x < border || y < border || x >= w-border || y >= h-border {
				v = 200 + (x+y)%50
			}
			img.Pix[y*img.Stride+4*x] = uint8(v)
		}
	}
	return img
}

// TestTiles: labels are those of the whole image wherever tiles are cut, and
// all tiles have one size.
func TestTiles(t *testing.T) {
	o := Options{Pixels: 1000, Side: 32, Overlap: 10}
	for _, size := range []image.Point{{100, 70}, {33, 32}, {2000, 3}, {32, 97}, {55, 55}, {54, 76}} {
		n := near{t, map[image.Point]int{}, 5}
		img := picture(size.X, size.Y, 5)
		got, err := Wrap(n, o).Predict(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got.Pix {
			if want := img.Pix[4*i]; v != want {
				t.Fatalf("%v: pixel (%d,%d) is %d, want %d", size, i%size.X, i/size.X, v, want)
			}
		}
		if len(n.seen) != 1 || n.seen[image.Pt(min(size.X, 32), min(size.Y, 32))] == 0 {
			t.Errorf("%v: tiles %v", size, n.seen)
		}
	}
	n := near{t, map[image.Point]int{}, 0}
	if _, err := Wrap(n, o).Predict(t.Context(), picture(40, 25, 0)); err != nil || n.seen[image.Pt(40, 25)] != 1 {
		t.Errorf("an image of as many pixels as are allowed: %v, %v", n.seen, err)
	}
}

// failing refines and prepares; it fails on its third image.
type failing struct {
	near
	calls *int
}

func (f failing) Begin(ctx context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	if *f.calls++; *f.calls == 3 {
		return nil, errors.New("third")
	}
	m, err := f.Predict(ctx, img)
	return func(context.Context) (*data.LabelMap, error) { return m, nil }, err
}

func (near) Shape(size image.Point) image.Point { return size.Mul(2) }

type prepared struct{ near }

func (p prepared) Prepare(img *image.NRGBA) func(ctx context.Context) (*data.LabelMap, error) {
	return func(ctx context.Context) (*data.LabelMap, error) { return p.Predict(ctx, img) }
}

// TestKeepsAbilities: what a predictor can do ahead or afterwards stays.
func TestKeepsAbilities(t *testing.T) {
	o := Options{Pixels: 1000, Side: 32, Overlap: 10}
	calls := 0
	n := near{t, map[image.Point]int{}, 0}
	r, ok := Wrap(failing{n, &calls}, o).(models.Refiner)
	if !ok {
		t.Fatal("no Refiner")
	}
	if _, err := r.Begin(t.Context(), picture(20, 20, 0)); err != nil {
		t.Error(err)
	}
	if _, err := r.Begin(t.Context(), picture(100, 70, 0)); err == nil || calls != 3 {
		t.Errorf("after %d calls %v", calls, err)
	}
	p, ok := Wrap(prepared{n}, o).(models.Preparer)
	if !ok {
		t.Fatal("no Preparer")
	}
	for _, size := range []image.Point{{20, 20}, {100, 70}} {
		if m, err := p.Prepare(picture(size.X, size.Y, 0))(t.Context()); err != nil || m.Size() != size {
			t.Errorf("%v: %v", size, err)
		}
	}
	if s := p.(models.Shaper); s.Shape(image.Pt(20, 20)) != image.Pt(40, 40) || s.Shape(image.Pt(500, 20)) != image.Pt(64, 40) {
		t.Error("shapes are not those of tiles")
	}
	if _, ok := Wrap(n, o).(models.Refiner); ok {
		t.Error("a Refiner out of nothing")
	}
}

func TestFor(t *testing.T) {
	for scores, want := range map[int]Options{
		21: {Pixels: 3195660, Side: 640, Overlap: 106}, 2: {Pixels: 1 << 25, Side: 640, Overlap: 106}, 81: {Pixels: 828504, Side: 320, Overlap: 53}, 510: {Pixels: 131586, Side: 256, Overlap: 42},
	} {
		if got := For(scores); got != want {
			t.Errorf("%d scores: %+v, want %+v", scores, got, want)
		}
	}
}
