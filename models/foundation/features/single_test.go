package features

import (
	"context"
	"errors"
	"image"
	"sync/atomic"
	"testing"
	"time"

	"wsss/data/imageproc"
)

// lone is an engine that takes one photo at a time, and notes how many runs there
// were at the same time.
type lone struct{ now, most atomic.Int64 }

func (*lone) step() int          { return 1 }
func (*lone) fixed() image.Point { return image.Point{} }
func (*lone) Close() error       { return nil }
func (e *lone) run(_ context.Context, pixels []float32, n, w, h int) ([][]float32, int, int, error) {
	if n > 1 {
		return nil, 0, 0, errors.New("one photo, please")
	}
	if now := e.now.Add(1); now > e.most.Load() {
		e.most.Store(now)
	}
	defer e.now.Add(-1)
	time.Sleep(time.Millisecond)
	return [][]float32{pixels}, w, h, nil
}

// TestSingle: photos of one call that cannot share runs, as memory may be short,
// follow each other.
func TestSingle(t *testing.T) {
	e := &lone{}
	n := &Network{opts: Options{MaxSide: 8, Norm: imageproc.ImageNetNorm}, engine: e}
	n.runs.Size = func(image.Point) int { return 4 }
	n.runs.Run = n.run
	photos, list := []*imageproc.RGB{}, []int{}
	for i := range 4 {
		photos, list = append(photos, imageproc.NewRGB(4, 4)), append(list, i)
	}
	for range 2 {
		if grids, err := n.ofSize(t.Context(), photos, list, image.Pt(4, 4)); err != nil || len(grids) != 4 {
			t.Fatalf("%d grids, %v", len(grids), err)
		}
	}
	if !n.runs.Single() || e.most.Load() != 1 {
		t.Errorf("single %t, %d runs at the same time", n.runs.Single(), e.most.Load())
	}
}
