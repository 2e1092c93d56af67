package eval

import (
	"context"
	"image"
	"sync/atomic"
	"testing"
	"time"

	"wsss/data"
	"wsss/models"
)

// slow labels an image after a while, and notes how many it works on.
type slow struct {
	at, most, all atomic.Int32
}

func (s *slow) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	s.most.Store(max(s.most.Load(), s.at.Add(1)))
	defer s.at.Add(-1)
	s.all.Add(1)
	time.Sleep(time.Millisecond)
	return data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy()), nil
}

func (s *slow) Shape(image.Point) image.Point { return image.Pt(7, 7) }

// TestPool: images are spread over all predictors, of which each has one at a
// time; a single predictor is used as it is.
func TestPool(t *testing.T) {
	a, b := &slow{}, &slow{}
	if p := Pool([]models.Predictor{a}); p != models.Predictor(a) {
		t.Errorf("one predictor: %T", p)
	}
	p := Pool([]models.Predictor{a, b})
	if s := p.(models.Shaper).Shape(image.Point{}); s != image.Pt(7, 7) {
		t.Errorf("shape %v", s)
	}
	ds, _ := sample(12, 40, 30, 3)
	if _, err := Predict(context.Background(), ds, "val", p, t.TempDir(), Options{RunHash: "a"}, nil); err != nil {
		t.Fatal(err)
	}
	if n, m := a.all.Load(), b.all.Load(); n+m != 12 || n < 3 || m < 3 || a.most.Load() != 1 || b.most.Load() != 1 {
		t.Errorf("%d and %d images, %d and %d at a time", n, m, a.most.Load(), b.most.Load())
	}
}
