package weights

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
)

// Float32 returns the values of a float or integer tensor as float32, with
// the same shape. A float32 tensor comes back as it is.
func Float32(t *tensors.Tensor) (*tensors.Tensor, error) {
	if t.DType() == dtypes.Float32 {
		return t, nil
	}
	var out []float32
	err := t.ConstFlatData(func(flat any) {
		switch v := flat.(type) {
		case []float64:
			out = convert(v)
		case []float16.Float16:
			out = make([]float32, len(v))
			for i, x := range v {
				out[i] = x.Float32()
			}
		case []bfloat16.BFloat16:
			out = make([]float32, len(v))
			for i, x := range v {
				out[i] = x.Float32()
			}
		case []int64:
			out = convert(v)
		case []int32:
			out = convert(v)
		case []int16:
			out = convert(v)
		case []int8:
			out = convert(v)
		case []uint8:
			out = convert(v)
		}
	})
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, fmt.Errorf("%s values are no weights: allowed are float and integer types", t.DType())
	}
	return tensors.FromFlatDataAndDimensions(out, t.Shape().Dimensions...), nil
}

func convert[T float64 | int64 | int32 | int16 | int8 | uint8](v []T) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
