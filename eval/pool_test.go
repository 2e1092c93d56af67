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

// slow labels an image after a while, and notes how many it works on. Its first
// images wait for as many of the other one's.
type slow struct {
	at, most, all atomic.Int32
	meet          func()
}

const together = 3

func (s *slow) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	s.most.Store(max(s.most.Load(), s.at.Add(1)))
	defer s.at.Add(-1)
	if s.all.Add(1) <= together {
		s.meet()
	}
	time.Sleep(time.Millisecond)
	return data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy()), nil
}

func (s *slow) Shape(image.Point) image.Point { return image.Pt(7, 7) }

// TestPool: images are spread over all predictors, of which each has one at a
// time; a single predictor is used as it is.
func TestPool(t *testing.T) {
	met := make(chan struct{})
	meet := func() {
		select {
		case met <- struct{}{}:
		case <-met:
		case <-time.After(time.Minute):
			t.Error("the other one has no image at the same time")
		}
	}
	a, b := &slow{meet: meet}, &slow{meet: meet}
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
	if n, m := a.all.Load(), b.all.Load(); n+m != 12 || n < together || m < together || a.most.Load() != 1 || b.most.Load() != 1 {
		t.Errorf("%d and %d images, %d and %d at a time", n, m, a.most.Load(), b.most.Load())
	}
}
