package gen

import (
	"context"
	"image"
	"math"
	"os"
	"runtime"
	"testing"

	"wsss/data"
)

// largeSet is fakeSet with images of the size of VOC's.
type largeSet struct{ fakeSet }

func (d *largeSet) Load(id string, _ data.Want) (*data.Sample, error) {
	return &data.Sample{ID: id, Image: image.NewNRGBA(image.Rect(0, 0, 500, 375))}, nil
}

// striped makes twenty masks of an image.
type striped struct{}

func (striped) Generate(_ context.Context, s *data.Sample) ([]Mask, error) {
	size := s.Image.Rect.Size()
	var masks []Mask
	for k := range 20 {
		bits := make([]uint8, size.X*size.Y)
		for i := range bits {
			if (i/size.X+i%size.X+k)%20 < 3 {
				bits[i] = 1
			}
		}
		masks = append(masks, Mask{Class: 1 + k%2, Score: 0.5, Bits: data.EncodeRLE(bits, size.X, size.Y)})
	}
	return masks, nil
}

func TestRunMemoryIsFlat(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("labels 1,000 images of 500×375, some 15 s of CPU: set WSSS_VERIFY=1")
	}
	o, _ := fakeRun(t.TempDir(), 0)
	o.Dataset, o.Method = &largeSet{fakeSet{n: 1000}}, striped{}
	// What is in use besides the images in flight: the least seen among the
	// first hundred images and among the last.
	early, late := uint64(math.MaxUint64), uint64(math.MaxUint64)
	var peak uint64
	o.Progress = func(done, total int) {
		if done%10 != 0 {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		if done <= 100 {
			early = min(early, m.HeapAlloc)
		} else if done > total-100 {
			late = min(late, m.HeapAlloc)
		}
	}
	mustRun(t, o)
	t.Logf("heap in use: at least %d KiB in the first 100 images, %d KiB in the last; peak %d KiB", early>>10, late>>10, peak>>10)
	if late > early+1<<20 {
		t.Errorf("heap grew from %d to %d bytes", early, late)
	}
}
