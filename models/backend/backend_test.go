package backend

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"
	onnx "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute/dtypes"
)

// described is a backend by name and description.
type described struct {
	compute.Backend
	name, description string
}

func (d described) Name() string        { return d.name }
func (d described) Description() string { return d.description }

// Which engines convolve by themselves: not ONNX Runtime on a CPU.
func TestConvolves(t *testing.T) {
	cuda, migraphx := "ONNX Runtime v1.32.0 (CUDA GPU) compute backend for GoMLX", "ONNX Runtime v1.32.0 (MIGraphX GPU) compute backend for GoMLX"
	for _, c := range []struct {
		name, description string
		of                dtypes.DType
		want              bool
	}{
		{"go", "", dtypes.Float32, false},
		{"xla", "", dtypes.Float32, true},
		{"xla", "", dtypes.BFloat16, true},
		{onnx.BackendName, "ONNX Runtime v1.32.0 (CPU) compute backend for GoMLX", dtypes.Float32, false},
		{onnx.BackendName, cuda, dtypes.Float32, true},
		{onnx.BackendName, cuda, dtypes.Float16, true},
		{onnx.BackendName, cuda, dtypes.BFloat16, false},
		{onnx.BackendName, migraphx, dtypes.Float32, true},
	} {
		if got := Convolves(described{name: c.name, description: c.description}, c.of); got != c.want {
			t.Errorf("%s, %q, %s: %v", c.name, c.description, c.of, got)
		}
	}
	if FindORT() == "" {
		return
	}
	b, err := Open("onnx")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if Convolves(b, dtypes.Float32) {
		t.Errorf("ONNX Runtime on the CPU, which is described as %q, convolves", b.Description())
	}
}

func TestOpenRejectsUnknown(t *testing.T) {
	_, err := Open("tpu")
	if err == nil || !strings.Contains(err.Error(), "allowed are") {
		t.Fatalf("error %v does not say what is allowed", err)
	}
}
