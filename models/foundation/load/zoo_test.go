package load

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/foundation"
	"wsss/models/onnximport/ortref"
)

// free are the sizes that the tests give dynamic axes.
const free = 5

// fill makes an input: noise for numbers, 0 and 1 for ids, one image size.
func fill(p foundation.Port, rng *rand.Rand) *tensors.Tensor {
	dims, size := make([]int, len(p.Dims)), 1
	for i, d := range p.Dims {
		if dims[i] = d; d < 0 {
			dims[i] = free
		}
		size *= dims[i]
	}
	switch p.DType {
	case dtypes.Int64:
		v := make([]int64, size)
		for i := range v {
			v[i] = rng.Int64N(2)
		}
		if p.Name == "orig_im_size" {
			copy(v, []int64{40, 50})
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	case dtypes.Bool:
		v := make([]bool, size)
		for i := range v {
			v[i] = true
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	switch p.Name {
	case "orig_im_size":
		copy(v, []float32{90, 120})
	case "point_labels":
		copy(v, []float32{1, 0, 2, 3, -1})
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// TestZooEqualsONNXRuntime runs every model of the zoo on the go and the onnx
// backend, all outputs: relative to the largest value, 1e-3 at most.
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
	for _, spec := range []string{"go", "onnx"} {
		b, err := backend.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			t.Run(spec+"/"+filepath.Base(path), func(t *testing.T) {
				s, err := Open(b, path, Options{Warn: func(msg string) { t.Error(msg) }})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				in := map[string]*tensors.Tensor{}
				rng := rand.New(rand.NewPCG(1, 2))
				for _, p := range s.Inputs() {
					in[p.Name] = fill(p, rng)
				}
				ref, err := ortref.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer ref.Close()
				want, err := ref.Run(in)
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.Run(context.Background(), in)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range s.Outputs() {
					if e := relative(t, got[p.Name], want[p.Name]); !(e <= 1e-3) {
						t.Errorf("%s: relative error %.2g", p.Name, e)
					}
				}
			})
		}
	}
}

// relative is the largest difference, relative to the largest value.
func relative(t *testing.T, got, want *tensors.Tensor) float64 {
	t.Helper()
	if !got.Shape().Equal(want.Shape()) {
		t.Fatalf("shape %s, want %s", got.Shape(), want.Shape())
	}
	if got.DType() != dtypes.Float32 {
		if got.Equal(want) {
			return 0
		}
		return math.Inf(1)
	}
	a, b := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	var diff, scale float64
	for i := range a {
		if math.IsInf(float64(b[i]), -1) && a[i] == b[i] {
			continue // logits of tokens that are not there
		}
		diff = max(diff, math.Abs(float64(a[i]-b[i])))
		scale = max(scale, math.Abs(float64(b[i])))
	}
	return diff / scale
}

func TestOpenNamesTheFile(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
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
