package load

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/foundation"
	"wsss/models/onnximport"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/ortref"
)

// Parity compares one output of a model on a backend with ONNX Runtime's on
// the original file.
type Parity struct {
	Output string
	// Error is the largest difference relative to the largest value, or to 1 for
	// shares, which a sigmoid or a softmax ends; +Inf where whole numbers or shapes
	// differ.
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

// trySizes are what Compare gives open axes: a picture large enough for
// networks that halve it five times.
var trySizes = onnximport.Sizes{Side: 64, Other: 5}

// Compare runs the ONNX file at path on b and through ONNX Runtime with the
// same made-up inputs: noise for numbers, grey levels for bytes, 0 and 1 for
// ids and flags. dims gives the shapes of inputs by name; open axes of the
// others are guessed.
func Compare(ctx context.Context, b compute.Backend, path string, seed uint64, dims map[string][]int) (ParityRun, error) {
	var run ParityRun
	s, err := Open(b, path, Options{Warn: func(string) { run.Whole = true }})
	if err != nil {
		return run, err
	}
	defer s.Close()
	in, err := inputsFor(s, seed, dims)
	if err != nil {
		return run, fmt.Errorf("%s: %w", path, err)
	}
	var got map[string]*tensors.Tensor
	for range 2 { // the first run compiles
		start := time.Now()
		if got, err = s.Run(ctx, in); err != nil {
			return run, err
		}
		run.Ours = time.Since(start)
	}
	sizes := map[string][]int{}
	for name, t := range got {
		sizes[name] = t.Shape().Dimensions
	}
	ref, err := ortref.Open(path)
	if err != nil {
		return run, err
	}
	defer ref.Close()
	start := time.Now()
	want, err := ref.RunSized(in, sizes)
	if err != nil {
		return run, err
	}
	run.ORT = time.Since(start)
	whole, err := sharesOf(path)
	if err != nil {
		return run, err
	}
	for _, p := range s.Outputs() {
		o := Parity{Output: p.Name, IoU: math.NaN()}
		if o.Error = difference(got[p.Name], want[p.Name], whole[p.Name]); strings.Contains(p.Name, "mask") && !math.IsInf(o.Error, 0) {
			o.IoU = maskIoU(got[p.Name], want[p.Name])
		}
		run.Outputs = append(run.Outputs, o)
	}
	return run, nil
}

// inputsFor makes an input for each that the model takes.
func inputsFor(s *Session, seed uint64, dims map[string][]int) (map[string]*tensors.Tensor, error) {
	m, err := onnximport.Open(s.path, onnximport.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	for name, own := range dims {
		p, ok := foundation.Find(s.Inputs(), name)
		if !ok {
			return nil, fmt.Errorf("there is no input %q: allowed are %s", name, foundation.Names(s.Inputs()))
		}
		if p.Dims != nil && len(own) != len(p.Dims) {
			return nil, fmt.Errorf("input %q takes %d dimensions, %v given", name, len(p.Dims), own)
		}
	}
	shapes := m.Guess(dims, trySizes)
	in := map[string]*tensors.Tensor{}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, p := range s.Inputs() {
		shape, ok := shapes[p.Name]
		if !ok {
			return nil, fmt.Errorf("input %q declares no shape: give one", p.Name)
		}
		if in[p.Name], err = madeUp(p, shape, rng); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// madeUp makes an input.
func madeUp(p foundation.Port, dims []int, rng *rand.Rand) (*tensors.Tensor, error) {
	size := 1
	for _, d := range dims {
		size *= d
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
	case dtypes.Int32:
		v := make([]int32, size)
		for i := range v {
			v[i] = rng.Int32N(2)
		}
		return tensors.FromFlatDataAndDimensions(v, dims...), nil
	case dtypes.Uint8:
		v := make([]uint8, size)
		for i := range v {
			v[i] = uint8(rng.UintN(256))
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
	return nil, fmt.Errorf("input %s is of type %s: known are float32, float16, int32, int64, uint8 and bool", p.Name, p.DType)
}

// sharesOf has 1 for outputs that are shares of 1, by the op that ends them. Where a
// network finds nothing all of them are next to 0, and their last digits, which
// engines approximate, say nothing.
func sharesOf(path string) (map[string]float64, error) {
	file, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	makers := onnxfile.Makers(file.Proto.Graph)
	whole := map[string]float64{}
	for _, out := range file.Proto.Graph.Output {
		if slices.Contains([]string{"Sigmoid", "HardSigmoid", "Softmax"}, onnxfile.End(makers, out.Name).GetOpType()) {
			whole[out.Name] = 1
		}
	}
	return whole, nil
}

// difference is the largest difference, relative to the largest value or to least,
// whichever is more.
func difference(got, want *tensors.Tensor, least float64) float64 {
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
	return diff / max(scale, least)
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
