package ortref

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"

	"github.com/gomlx/gomlx/core/tensors"
)

// example describes an input to run a network with, as the generators of
// networks (models/onnximport/testdata) write them: type is float32, int64 or
// bool, and floats without values are drawn.
type example struct {
	Dims   []int
	Type   string
	Values []float64
}

// ReadInputs reads a file of inputs by name. The same file gives the same
// inputs always.
func ReadInputs(path string) (map[string]*tensors.Tensor, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list map[string]example
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string]*tensors.Tensor{}
	for name, e := range list {
		if out[name], err = e.tensor(name); err != nil {
			return nil, fmt.Errorf("%s: input %q: %w", path, name, err)
		}
	}
	return out, nil
}

func (e example) tensor(name string) (*tensors.Tensor, error) {
	n := 1
	for _, d := range e.Dims {
		n *= d
	}
	if e.Values == nil && e.Type == "float32" {
		h := fnv.New64a()
		h.Write([]byte(name))
		r := rand.New(rand.NewPCG(h.Sum64(), 2))
		for range n {
			e.Values = append(e.Values, r.NormFloat64())
		}
	}
	if len(e.Values) != n {
		return nil, fmt.Errorf("%d values for %v", len(e.Values), e.Dims)
	}
	switch e.Type {
	case "float32":
		return fill(e, func(v float64) float32 { return float32(v) }), nil
	case "int64":
		return fill(e, func(v float64) int64 { return int64(v) }), nil
	case "bool":
		return fill(e, func(v float64) bool { return v != 0 }), nil
	}
	return nil, fmt.Errorf("type %q: allowed are float32, int64 and bool", e.Type)
}

func fill[T float32 | int64 | bool](e example, convert func(float64) T) *tensors.Tensor {
	data := make([]T, len(e.Values))
	for i, v := range e.Values {
		data[i] = convert(v)
	}
	return tensors.FromFlatDataAndDimensions(data, e.Dims...)
}
