package eval

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"wsss/data"
)

// faulty fails in one of the stages at the images of the given places.
type faulty struct {
	*memory
	stage string
	at    map[int]bool
	begun int
}

func (f *faulty) wait() { time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) }

func (f *faulty) Load(id string, want data.Want) (*data.Sample, error) {
	f.wait()
	var i int
	if _, err := fmt.Sscanf(id, "2007_%d", &i); err != nil {
		return nil, err
	}
	if f.stage == "decode" && f.at[i] {
		return nil, fmt.Errorf("image %d", i)
	}
	s, err := f.memory.Load(id, want)
	if err == nil && f.stage == "finish" && f.at[i] {
		s.Truth = data.NewLabelMap(3, 3) // of another size than the photo
	}
	return s, err
}

func (f *faulty) Predict(context.Context, *image.NRGBA) (*data.LabelMap, error) {
	return nil, errors.New("Predict instead of Begin")
}

func (f *faulty) Begin(_ context.Context, img *image.NRGBA) (func(context.Context) (*data.LabelMap, error), error) {
	i := f.begun
	f.begun++
	if f.stage == "predict" && f.at[i] {
		return nil, fmt.Errorf("image %d", i)
	}
	return func(context.Context) (*data.LabelMap, error) {
		f.wait()
		if f.stage == "refine" && f.at[i] {
			return nil, fmt.Errorf("image %d", i)
		}
		return data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy()), nil
	}, nil
}

// TestPredictFirstError: whatever the scheduler does, the first image in order
// that fails is the one reported, in each stage.
func TestPredictFirstError(t *testing.T) {
	for _, stage := range []string{"decode", "predict", "refine", "finish"} {
		t.Run(stage, func(t *testing.T) {
			for range 4 {
				ds, _ := sample(20, 30, 20, 4)
				f := &faulty{memory: ds, stage: stage, at: map[int]bool{6: true, 7: true, 8: true, 11: true}}
				_, err := Predict(context.Background(), f, "val", f, t.TempDir(), Options{Workers: 4}, nil)
				if err == nil || !strings.Contains(err.Error(), "image 6") && !strings.Contains(err.Error(), ds.ids[6]) {
					t.Fatalf("error %v, want that of image 6", err)
				}
			}
		})
	}
}
