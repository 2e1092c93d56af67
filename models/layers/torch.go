package layers

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
)

// TorchName is the state-dict name of the variable at path in a network below
// scope: /model/backbone/conv1/weight below /model is backbone.conv1.weight.
func TorchName(scope, path string) string {
	path = strings.TrimPrefix(path, strings.TrimSuffix(scope, "/"))
	return strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
}

// TorchShape is the shape that PyTorch gives a variable of this one: kernels
// are [out, in, kh, kw] there.
func TorchShape(dims []int) []int {
	if len(dims) != 4 {
		return dims
	}
	return []int{dims[3], dims[2], dims[0], dims[1]}
}

// FromTorch turns a float32 tensor of a state dict into a variable's value:
// [out, in, kh, kw] becomes [kh, kw, in, out], other ranks stay.
func FromTorch(t *tensors.Tensor) (*tensors.Tensor, error) {
	d := t.Shape().Dimensions
	if len(d) != 4 {
		return t, nil
	}
	out, in, area := d[0], d[1], d[2]*d[3]
	return permuted(t, []int{d[2], d[3], in, out}, func(dst, src []float32) {
		for o := range out {
			for i := range in {
				for p := range area {
					dst[(p*in+i)*out+o] = src[(o*in+i)*area+p]
				}
			}
		}
	})
}

// ToTorch is the inverse of FromTorch.
func ToTorch(t *tensors.Tensor) (*tensors.Tensor, error) {
	d := t.Shape().Dimensions
	if len(d) != 4 {
		return t, nil
	}
	area, in, out := d[0]*d[1], d[2], d[3]
	return permuted(t, TorchShape(d), func(dst, src []float32) {
		for o := range out {
			for i := range in {
				for p := range area {
					dst[(o*in+i)*area+p] = src[(p*in+i)*out+o]
				}
			}
		}
	})
}

// permuted fills a new tensor of the given dimensions from t.
func permuted(t *tensors.Tensor, dims []int, fill func(dst, src []float32)) (*tensors.Tensor, error) {
	dst := make([]float32, t.Shape().Size())
	var typeErr error
	err := t.ConstFlatData(func(flat any) {
		src, ok := flat.([]float32)
		if !ok {
			typeErr = fmt.Errorf("a kernel of %s: only float32 is laid out", t.DType())
			return
		}
		fill(dst, src)
	})
	if err == nil {
		err = typeErr
	}
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(dst, dims...), nil
}
