package onnximport

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/onnximport/legalise"
)

// constOf copies the elements of a tensor for the legaliser.
func constOf(t *tensors.Tensor) (*legalise.Const, error) {
	c := new(legalise.Const)
	var bad any
	err := t.ConstFlatData(func(flat any) {
		switch v := flat.(type) {
		case []float32:
			c.Floats = convert[float64](v)
		case []float64:
			c.Floats = convert[float64](v)
		case []int64:
			c.Ints = convert[int64](v)
		case []int32:
			c.Ints = convert[int64](v)
		case []uint8:
			c.Ints = convert[int64](v)
		case []int8:
			c.Ints = convert[int64](v)
		case []bool:
			c.Ints = make([]int64, len(v))
			for i, x := range v {
				if x {
					c.Ints[i] = 1
				}
			}
		default:
			bad = flat
		}
	})
	if err == nil && bad != nil {
		err = fmt.Errorf("elements of type %T", bad)
	}
	return c, err
}

func convert[T, F float32 | float64 | int64 | int32 | uint8 | int8](v []F) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}
