package backend

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
)

// SetPrecision prepares b for graphs of a precision: "" (b's own way), float32,
// tf32 (float32 whose products are rounded to ten bits by NVIDIA's tensor
// cores) or bf16. float32 applies to matrix products; convolutions on a GPU
// follow XLA, which may use TF32. The error says what b lacks.
func SetPrecision(b compute.Backend, precision string) error {
	x, isXLA := b.(*xla.Backend)
	switch precision {
	case "tf32":
		if !isXLA || !x.IsCUDA() {
			return fmt.Errorf(`"tf32" exists on NVIDIA GPUs (xla:cuda), the backend is %s`, b.Name())
		}
		x.DotGeneralUseTF32 = true
	case "float32":
		if isXLA {
			x.DotGeneralUseTF32 = false
		}
	case "bf16":
		if !b.Capabilities().DTypes[dtypes.BFloat16] {
			return fmt.Errorf(`"bf16": backend %s computes no bfloat16; go and xla do`, b.Name())
		}
	}
	return nil
}
