package onnxopt

import (
	"encoding/binary"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/onnxfile"
)

// known is what can be told of a graph's values beforehand.
type known struct {
	makers    map[string]*protos.NodeProto
	constants map[string]*protos.TensorProto
	shapes    map[string][]int64 // as far as they were asked for; nil where not known
}

func knownOf(g *protos.GraphProto) *known {
	k := &known{onnxfile.Makers(g), map[string]*protos.TensorProto{}, map[string][]int64{}}
	for _, t := range g.Initializer {
		k.constants[t.Name] = t
		k.shapes[t.Name] = append([]int64{}, t.Dims...)
	}
	for _, in := range g.Input {
		dims := []int64{}
		for _, d := range in.GetType().GetTensorType().GetShape().GetDim() {
			dims = append(dims, d.GetDimValue())
		}
		if in.GetType().GetTensorType().GetShape() != nil && !slices.Contains(dims, 0) {
			k.shapes[in.Name] = dims
		}
	}
	return k
}

// ints are the elements of an int64 constant, nil where it is none.
func (k *known) ints(name string) []int64 {
	t := k.constants[name]
	if t == nil || t.DataType != int32(protos.TensorProto_INT64) {
		return nil
	}
	if t.RawData == nil {
		return t.Int64Data
	}
	out := make([]int64, len(t.RawData)/8)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(t.RawData[8*i:]))
	}
	return out
}

// shape is that of a value, nil where it is not known.
func (k *known) shape(name string) []int64 {
	s, ok := k.shapes[name]
	if !ok {
		k.shapes[name] = nil // for graphs with a circle
		s = k.made(k.makers[name])
		k.shapes[name] = s
	}
	return s
}

// made is the shape of what a node makes, for the ops that lie between numbers
// and where they are used.
func (k *known) made(n *protos.NodeProto) []int64 {
	if n == nil {
		return nil
	}
	switch n.OpType {
	case "Reshape":
		if dims := k.ints(n.Input[1]); !slices.ContainsFunc(dims, func(d int64) bool { return d < 1 }) {
			return dims
		}
	case "Expand":
		return broadcast(k.shape(n.Input[0]), k.ints(n.Input[1]))
	case "Cast", "Floor", "Relu", "Identity", "Softmax":
		return k.shape(n.Input[0])
	case "Add", "Sub", "Mul", "Div", "Max", "Min":
		if len(n.Input) == 2 {
			return broadcast(k.shape(n.Input[0]), k.shape(n.Input[1]))
		}
	case "MatMul":
		if x, y := k.shape(n.Input[0]), k.shape(n.Input[1]); len(x) == 2 && len(y) == 2 {
			return []int64{x[0], y[1]}
		}
	}
	return nil
}

// broadcast is the common shape of two, nil where there is none.
func broadcast(x, y []int64) []int64 {
	if x == nil || y == nil {
		return nil
	}
	if len(x) < len(y) {
		x, y = y, x
	}
	out := slices.Clone(x)
	for i, d := range y {
		switch at := len(x) - len(y) + i; {
		case out[at] == 1:
			out[at] = d
		case d != 1 && d != out[at]:
			return nil
		}
	}
	return out
}

// number finds the constant of which a value is one element, or that element
// many times.
func (k *known) number(name string) *protos.TensorProto {
	for n := k.makers[name]; n != nil && (n.OpType == "Reshape" || n.OpType == "Expand"); n = k.makers[name] {
		name = n.Input[0]
	}
	t := k.constants[name]
	if t == nil || slices.ContainsFunc(t.Dims, func(d int64) bool { return d != 1 }) {
		return nil
	}
	return t
}
