package onnximport

import (
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/legalise"
)

// Sizes are what Guess takes for open dimensions.
type Sizes struct {
	Side  int // of a picture
	Other int // of what a name or place says nothing about
}

// Guess gives every input a shape to try the model with: the given one, else
// the declared one with its open dimensions by name and place, so that
// dimensions of one name have one size throughout. Inputs that declare no
// shape are left out.
func (m *Model) Guess(given map[string][]int, s Sizes) map[string][]int {
	named := map[string]int{}
	inputs := m.file.Proto.Graph.Input
	for _, in := range inputs {
		if dims, ok := given[in.Name]; ok {
			for i, d := range in.GetType().GetTensorType().GetShape().GetDim() {
				if name := d.GetDimParam(); name != "" && i < len(dims) {
					named[name] = dims[i]
				}
			}
		}
	}
	shapes := map[string][]int{}
	for _, in := range inputs {
		if dims, ok := given[in.Name]; ok {
			shapes[in.Name] = dims
		} else if dims := s.guess(in, named); dims != nil {
			shapes[in.Name] = dims
		}
	}
	return shapes
}

// guess fills open dimensions of a declared input and notes those with a name;
// nil where the declaration has no shape.
func (s Sizes) guess(in *protos.ValueInfoProto, named map[string]int) []int {
	dims, _, err := legalise.InputType(in)
	if err != nil || dims == nil {
		return nil
	}
	out := slices.Clone(dims)
	for i, d := range dims {
		if d >= 0 {
			continue
		}
		name := in.Type.GetTensorType().Shape.Dim[i].GetDimParam()
		if known, ok := named[name]; ok && name != "" {
			out[i] = known
			continue
		}
		out[i] = s.size(strings.ToLower(name), i, dims)
		if name != "" {
			named[name] = out[i]
		}
	}
	return out
}

// size guesses dimension i of an input by its name and place.
func (s Sizes) size(name string, i int, dims []int) int {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case has("batch") || i == 0:
		return 1
	case has("point"):
		return min(2, s.Other)
	case has("height", "width"):
		return s.Side
	case len(dims) == 4 && i == 1 && (dims[3] < 0 || dims[3] > 4): // channels first
		return 3
	case len(dims) == 4 && i == 3 && dims[1] < 0 && dims[2] < 0 && name == "":
		return s.Side
	case len(dims) == 4 && i >= 1 && !has("seq", "token", "num", "box", "query"):
		return s.Side
	}
	return s.Other
}
