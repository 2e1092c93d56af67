package legalise

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/onnxfile"
)

// emitOpset is the operator set that emitted programs are written in.
const emitOpset = 17

// Weights lists the initializers that the program reads, in order of first
// use, each once.
func (p *Program) Weights() []*Value {
	var all []*Value
	seen := map[*Value]bool{}
	add := func(v *Value) {
		if v != nil && v.Weight != nil && !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	for _, n := range p.Nodes {
		for _, v := range n.In {
			add(v)
		}
	}
	for _, v := range p.Outputs {
		add(v)
	}
	return all
}

// Proto encodes the program as an ONNX model for an importer. Weights are
// graph inputs, after the program's own; constants are Constant nodes. The
// graph's outputs are the program's, each once.
func (p *Program) Proto() (*protos.ModelProto, error) {
	g := &protos.GraphProto{Name: "legalised"}
	for _, v := range slices.Concat(p.Inputs, p.Weights()) {
		g.Input = append(g.Input, valueInfo(v))
	}
	seen := map[*Value]bool{}
	constant := func(v *Value) error {
		if v == nil || v.Const == nil || seen[v] {
			return nil
		}
		seen[v] = true
		n, err := constantNode(v)
		g.Node = append(g.Node, n)
		return err
	}
	for _, n := range p.Nodes {
		for _, v := range n.In {
			if err := constant(v); err != nil {
				return nil, err
			}
		}
		node, err := encodeNode(n)
		if err != nil {
			return nil, err
		}
		g.Node = append(g.Node, node)
	}
	for _, v := range p.Outputs {
		if err := constant(v); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(g.Output, func(o *protos.ValueInfoProto) bool { return o.Name == v.Name }) {
			g.Output = append(g.Output, valueInfo(v))
		}
	}
	return &protos.ModelProto{
		IrVersion:   8,
		OpsetImport: []*protos.OperatorSetIdProto{{Version: emitOpset}},
		Graph:       g,
	}, nil
}

func valueInfo(v *Value) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{}
	for _, d := range v.Dims {
		shape.Dim = append(shape.Dim, &protos.TensorShapeProto_Dimension{
			Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)},
		})
	}
	t := &protos.TypeProto_Tensor{ElemType: int32(v.DType), Shape: shape}
	return &protos.ValueInfoProto{Name: v.Name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: t}}}
}

func constantNode(v *Value) (*protos.NodeProto, error) {
	raw, err := v.Bytes()
	if err != nil {
		return nil, err
	}
	t := &protos.TensorProto{Name: v.Name, DataType: int32(v.DType), Dims: toInt64s(v.Dims), RawData: raw}
	return &protos.NodeProto{
		OpType:    "Constant",
		Name:      v.Name,
		Output:    []string{v.Name},
		Attribute: []*protos.AttributeProto{{Name: "value", Type: protos.AttributeProto_TENSOR, T: t}},
	}, nil
}

func encodeNode(n *Node) (*protos.NodeProto, error) {
	p := &protos.NodeProto{OpType: n.Op, Name: n.Out[0].Name}
	for _, v := range n.In {
		name := ""
		if v != nil {
			name = v.Name
		}
		p.Input = append(p.Input, name)
	}
	for _, v := range n.Out {
		p.Output = append(p.Output, v.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
		a, err := encodeAttr(n, name)
		if err != nil {
			return nil, err
		}
		p.Attribute = append(p.Attribute, a)
	}
	return p, nil
}

func encodeAttr(n *Node, name string) (*protos.AttributeProto, error) {
	a := &protos.AttributeProto{Name: name}
	switch v := n.Attrs[name].(type) {
	case int64:
		a.Type, a.I = protos.AttributeProto_INT, v
		if n.Op == "Cast" && name == "to" {
			a.I = int64(onnxfile.Widen(DType(v)))
		}
	case float32:
		a.Type, a.F = protos.AttributeProto_FLOAT, v
	case string:
		a.Type, a.S = protos.AttributeProto_STRING, []byte(v)
	case []int64:
		a.Type, a.Ints = protos.AttributeProto_INTS, v
	case []float32:
		a.Type, a.Floats = protos.AttributeProto_FLOATS, v
	default:
		return nil, fmt.Errorf("op %s: attribute %s of type %T", n.Op, name, v)
	}
	return a, nil
}
