package backend

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
)

// CheckPrecision tells whether b computes graphs of a precision: "" (b's own
// way), float32, tf32 (float32 whose products are rounded to ten bits by
// NVIDIA's tensor cores) or bf16. The error says what b lacks.
func CheckPrecision(b compute.Backend, precision string) error {
	switch precision {
	case "tf32":
		if !OnGPU(b) {
			return fmt.Errorf(`"tf32" exists on NVIDIA GPUs (xla:cuda), the backend is %s`, b.Name())
		}
	case "bf16":
		if !b.Capabilities().DTypes[dtypes.BFloat16] {
			return fmt.Errorf(`"bf16": backend %s computes no bfloat16; go and xla do`, b.Name())
		}
	}
	return nil
}

// OnGPU tells whether b computes on an NVIDIA GPU.
func OnGPU(b compute.Backend) bool {
	x, isXLA := b.(*xla.Backend)
	return isXLA && x.IsCUDA()
}

// UsePrecision makes the graphs that b builds until restore is called compute
// matrix products in a precision that CheckPrecision allows. It is for the
// function that builds a graph, so that others, such as a validation between
// two updates, keep b's own way. Convolutions on a GPU follow cuDNN, which may
// use TF32, as in PyTorch.
func UsePrecision(b compute.Backend, precision string) (restore func()) {
	x, isXLA := b.(*xla.Backend)
	if !isXLA || precision == "" {
		return func() {}
	}
	was := x.DotGeneralUseTF32
	x.DotGeneralUseTF32 = precision == "tf32"
	return func() { x.DotGeneralUseTF32 = was }
}

// exact makes float32 the way of a backend that was opened without asking for
// TF32; GoMLX rounds on CUDA unless told otherwise.
func exact(b compute.Backend, spec string) {
	if x, isXLA := b.(*xla.Backend); isXLA && !strings.Contains(spec, "tf32") {
		x.DotGeneralUseTF32 = false
	}
}
