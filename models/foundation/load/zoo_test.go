package load

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

// TestZooEqualsONNXRuntime runs every model of the zoo on every
// engine, all outputs: relative to the
// largest value 1e-3 at most, masks IoU 0.999 at least.
func TestZooEqualsONNXRuntime(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: set ONNXRUNTIME_SHARED_LIBRARY_PATH")
	}
	paths, err := filepath.Glob("../zoo/*.onnx")
	small, err2 := filepath.Glob("testdata/*.onnx")
	if err != nil || err2 != nil || len(paths) == 0 || len(small) != 7 {
		t.Fatal("no models in the zoo", err, err2)
	}
	paths = append(paths, small...)
	for _, spec := range backendtest.Quick(t) {
		b, err := backend.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			t.Run(spec+"/"+filepath.Base(path), func(t *testing.T) {
				run, err := Compare(context.Background(), b, path, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				if run.Whole {
					t.Error("it ran whole through ONNX Runtime")
				}
				for _, o := range run.Outputs {
					if !(o.Error <= 1e-3) || o.IoU < 0.999 {
						t.Errorf("%s: relative error %.2g, IoU %.4f", o.Output, o.Error, o.IoU)
					}
				}
			})
		}
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	b := backendtest.One(t)
	if _, _, err := SAM(b, "../zoo/sam_encoder.onnx", filepath.Join(t.TempDir(), "none.onnx"), Options{}); err == nil {
		t.Error("a missing decoder passed")
	}
	if _, _, err := SAM(b, "../zoo/sam_decoder.onnx", "../zoo/sam_encoder.onnx", Options{}); err == nil {
		t.Error("swapped files passed")
	}
	s, err := Open(b, "../zoo/sam_encoder.onnx", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, nil); err != context.Canceled {
		t.Errorf("after cancelling: %v", err)
	}
	if len(s.Hash()) != 64 {
		t.Errorf("hash %q", s.Hash())
	}
}

func TestDifference(t *testing.T) {
	inf := float32(math.Inf(-1))
	v := func(x ...float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(x, len(x)) }
	for _, c := range []struct {
		a, b *tensors.Tensor
		want float64
	}{
		{v(1, inf), v(1, inf), 0}, {v(1, 5), v(1, 4), 0.25}, {v(1), v(1, 2), math.Inf(1)}, {v(0), v(0), 0},
		{tensors.FromValue([]int64{1}), tensors.FromValue([]int64{2}), math.Inf(1)}, {v(1, inf), v(1, 2), math.Inf(1)},
	} {
		if got := difference(c.a, c.b, 0); got != c.want {
			t.Errorf("%v, %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
	if got := maskIoU(v(1, 1, -1), v(1, -1, -1)); got != 0.5 {
		t.Errorf("IoU %v", got)
	}
	if got := difference(v(float32(math.NaN())), v(1), 0); !math.IsNaN(got) {
		t.Errorf("NaN: %v", got)
	}
}

// TestSessionsAreShared: who opens a file again gets the same session until all
// have closed it; other options or another backend get their own.
func TestSessionsAreShared(t *testing.T) {
	b := backendtest.One(t)
	path := "../zoo/clip_text.onnx"
	open := func(opt Options) *Session {
		t.Helper()
		s, err := Open(b, path, opt)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := open(Options{}), open(Options{MaxShapes: 8})
	if first != second {
		t.Error("the same file was opened twice")
	}
	if other := open(Options{MaxShapes: 3}); other == first {
		t.Error("other options, but the same session")
	}
	if told := open(Options{Warn: func(string) {}}); told == first {
		t.Error("a session with a listener is shared")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if again := open(Options{}); again != second {
		t.Error("closed by one of two, and opened anew")
	}
	for range 2 {
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if again := open(Options{}); again == second {
		t.Error("closed by all, and still handed out")
	}
}
