package onnximport

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
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

// valueOf is a tensor as the legaliser holds it.
func valueOf(t *tensors.Tensor) (*legalise.Value, error) {
	c, err := constOf(t)
	if err != nil {
		return nil, err
	}
	v := &legalise.Value{Dims: slices.Clone(t.Shape().Dimensions), Const: c}
	for d, own := range dtypeOf {
		if own == t.DType() {
			v.DType = d
		}
	}
	return v, nil
}

// tensorOf is a value with known elements as a tensor.
func tensorOf(v *legalise.Value) (*tensors.Tensor, error) {
	d, ok := dtypeOf[v.DType]
	if !ok {
		return nil, fmt.Errorf("element type %v is not supported", v.DType)
	}
	raw, err := v.Bytes()
	if err != nil {
		return nil, err
	}
	t := tensors.FromShape(shapes.Make(d, v.Dims...))
	if len(raw) == 0 {
		return t, nil
	}
	return t, t.MutableBytes(func(data []byte) { copy(data, raw) })
}
