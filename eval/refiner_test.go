package eval

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wsss/data"
)

// slowRefiner leaves an image's second part unfinished until the network has
// begun the next image.
type slowRefiner struct {
	total int
	fail  int // image whose second part fails; 0 = none

	mu         sync.Mutex
	more       *sync.Cond
	begun      int
	unfinished int
	most       int
}

func newSlowRefiner(total, fail int) *slowRefiner {
	r := &slowRefiner{total: total, fail: fail}
	r.more = sync.NewCond(&r.mu)
	return r
}

func (r *slowRefiner) Predict(context.Context, *image.NRGBA) (*data.LabelMap, error) {
	return nil, errors.New("Predict instead of Begin")
}

func (r *slowRefiner) Begin(_ context.Context, img *image.NRGBA) (func(context.Context) (*data.LabelMap, error), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
	r.unfinished++
	r.most = max(r.most, r.unfinished)
	number := r.begun
	r.more.Broadcast()
	return func(context.Context) (*data.LabelMap, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for r.begun == number && number < r.total {
			r.more.Wait()
		}
		r.unfinished--
		if number == r.fail {
			return nil, errors.New("no field")
		}
		label := data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy())
		for i := range label.Pix {
			label.Pix[i] = img.Pix[4*i]
		}
		return label, nil
	}, nil
}

// TestPredictOverlapsRefinement: the network begins an image while the one
// before is refined, and few are in memory.
func TestPredictOverlapsRefinement(t *testing.T) {
	ds, _ := sample(20, 40, 30, 4)
	dir, r := t.TempDir(), newSlowRefiner(20, 0)
	got := make(chan error, 1)
	go func() {
		res, err := Predict(context.Background(), ds, "val", r, dir, Options{}, nil)
		if err == nil && res.MIoU < 0.999 {
			err = fmt.Errorf("mIoU %v of the truth itself", res.MIoU)
		}
		got <- err
	}()
	select {
	case err := <-got:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no image is begun while another is refined")
	}
	if limit := Refiners() + 1; r.most > limit {
		t.Errorf("%d images are begun and not refined, allowed are %d", r.most, limit)
	}
}

func TestPredictRefinementFails(t *testing.T) {
	ds, _ := sample(20, 40, 30, 4)
	dir := t.TempDir()
	_, err := Predict(context.Background(), ds, "val", newSlowRefiner(20, 7), dir, Options{}, nil)
	if want := "predict " + ds.ids[6] + ": no field"; err == nil || err.Error() != want {
		t.Fatalf("error %v, want %q", err, want)
	}
	if _, err := os.Stat(filepath.Join(dir, ds.ids[6]+".png")); err == nil {
		t.Error("the image that failed has a label map")
	}
}
