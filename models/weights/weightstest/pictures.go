package weightstest

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Open opens a weight file until the test ends.
func Open(t testing.TB, path string) weights.Source {
	t.Helper()
	f, err := formats.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Tensor reads one of a file's tensors, anew each time: an engine keeps those that it
// saw.
func Tensor(t testing.TB, src weights.Source, name string) *tensors.Tensor {
	t.Helper()
	x, err := src.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Picture is what the scripts beside the fixtures show reference networks, [1, h, w,
// 3] in −1 to 1.
func Picture(h, w int) *tensors.Tensor {
	v := make([]float32, 0, 3*h*w)
	for y := range h {
		for x := range w {
			for c := range 3 {
				v = append(v, float32((x*7+y*3+c*40+x*y/8)%256)/128-1)
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(v, 1, h, w, 3)
}
