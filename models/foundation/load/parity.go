package load

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/foundation"
	"wsss/models/onnximport/ortref"
)

// Parity compares one output of a model on a backend with ONNX Runtime's on
// the original file.
type Parity struct {
	Output string
	// Error is the largest difference relative to the largest value; +Inf
	// where whole numbers or shapes differ.
	Error float64
	// IoU of the values above 0, for outputs that are mask logits; else NaN.
	IoU float64
}

// ParityRun is what Compare found.
type ParityRun struct {
	Outputs []Parity
	Whole   bool          // the model ran whole through ONNX Runtime
	Ours    time.Duration // of a second run
	ORT     time.Duration
}

// openAxis is the size that Compare gives open axes that it knows nothing of.
const openAxis = 5

// Compare runs the ONNX file at path on b and through ONNX Runtime with the
// same made-up inputs: noise for numbers, 0 and 1 for ids and flags. dims
// gives the sizes of open axes by input name; the others are 1 for the first
// axis of images and 5 elsewhere.
func Compare(ctx context.Context, b compute.Backend, path string, seed uint64, dims map[string][]int) (ParityRun, error) {
	var run ParityRun
	s, err := Open(b, path, Options{Warn: func(string) { run.Whole = true }})
	if err != nil {
		return run, err
	}
	defer s.Close()
	in := map[string]*tensors.Tensor{}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, p := range s.Inputs() {
		if own := dims[p.Name]; len(own) == len(p.Dims) {
			p.Dims = own
		}
		if in[p.Name], err = madeUp(p, rng); err != nil {
			return run, fmt.Errorf("%s: %w", path, err)
		}
	}
	ref, err := ortref.Open(path)
	if err != nil {
		return run, err
	}
	defer ref.Close()
	start := time.Now()
	want, err := ref.Run(in)
	if err != nil {
		return run, err
	}
	run.ORT = time.Since(start)
	var got map[string]*tensors.Tensor
	for range 2 { // the first run compiles
		start = time.Now()
		if got, err = s.Run(ctx, in); err != nil {
			return run, err
		}
		run.Ours = time.Since(start)
	}
	for _, p := range s.Outputs() {
		o := Parity{Output: p.Name, IoU: math.NaN()}
		if o.Error = difference(got[p.Name], want[p.Name]); strings.Contains(p.Name, "mask") && !math.IsInf(o.Error, 0) {
			o.IoU = maskIoU(got[p.Name], want[p.Name])
		}
		run.Outputs = append(run.Outputs, o)
	}
	return run, nil
}

// madeUp makes an input.
func madeUp(p foundation.Port, rng *rand.Rand) (*tensors.Tensor, error) {
	dims, size := make([]int, len(p.Dims)), 1
	for i, d := range p.Dims {
		switch dims[i] = d; {
		case d < 0 && i == 0 && len(p.Dims) == 4:
			dims[i] = 1
		case d < 0:
			dims[i] = openAxis
		}
		size *= dims[i]
	}
	if size > 1<<28 {
		return nil, fmt.Errorf("input %s of %v is too large to try", p.Name, dims)
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
		return tensors.FromFlatDataAndDimensions(v, dims...), nil
	case dtypes.Bool:
		v := make([]bool, size)
		for i := range v {
			v[i] = true
		}
		return tensors.FromFlatDataAndDimensions(v, dims...), nil
	case dtypes.Float32:
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		switch p.Name {
		case "orig_im_size":
			copy(v, []float32{90, 120})
		case "point_labels", "batched_point_labels":
			for i := range v {
				v[i] = []float32{1, 0, 2, 3, -1}[i%5]
			}
		}
		return tensors.FromFlatDataAndDimensions(v, dims...), nil
	}
	return nil, fmt.Errorf("input %s is of type %s: known are float32, int64 and bool", p.Name, p.DType)
}

// difference is the largest difference, relative to the largest value.
func difference(got, want *tensors.Tensor) float64 {
	if got == nil || want == nil || !got.Shape().Equal(want.Shape()) {
		return math.Inf(1)
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
		if a[i] == b[i] {
			if v := math.Abs(float64(b[i])); !math.IsInf(v, 0) { // −∞ marks tokens that are not there
				scale = max(scale, v)
			}
			continue
		}
		diff = max(diff, math.Abs(float64(a[i]-b[i])))
		scale = max(scale, math.Abs(float64(b[i])))
	}
	if diff == 0 {
		return 0
	}
	return diff / scale
}

// maskIoU is the intersection over union of the values above 0.
func maskIoU(got, want *tensors.Tensor) float64 {
	a, b := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	both, any := 0, 0
	for i := range a {
		if a[i] > 0 && b[i] > 0 {
			both++
		}
		if a[i] > 0 || b[i] > 0 {
			any++
		}
	}
	if any == 0 {
		return 1
	}
	return float64(both) / float64(any)
}
