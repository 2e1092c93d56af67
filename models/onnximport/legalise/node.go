package legalise

import (
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/onnxfile"
)

// Attrs are the attributes of a node: int64, float32, string, []int64,
// []float32, *protos.TensorProto or *protos.GraphProto.
type Attrs map[string]any

// Node is one operation. A missing optional input is nil.
type Node struct {
	Op, Domain string
	Name       string // as in the file, for messages
	In         []*Value
	Out        []*Value
	Attrs      Attrs

	outs  []string // names wanted for the outputs; "" where unused
	scope *scope
}

// Arg returns input i, or nil where it is absent.
func (n *Node) Arg(i int) *Value {
	if i < len(n.In) {
		return n.In[i]
	}
	return nil
}

// Outs returns how many outputs the node declares, trailing unused ones not
// counted.
func (n *Node) Outs() int {
	k := len(n.outs)
	for k > 1 && n.outs[k-1] == "" {
		k--
	}
	return max(k, 1)
}

// Int returns the integer attribute name, or def.
func (n *Node) Int(name string, def int) int {
	if v, ok := n.Attrs[name].(int64); ok {
		return int(v)
	}
	return def
}

// Float returns the float attribute name, or def.
func (n *Node) Float(name string, def float64) float64 {
	if v, ok := n.Attrs[name].(float32); ok {
		return float64(v)
	}
	return def
}

// Str returns the string attribute name, or def.
func (n *Node) Str(name, def string) string {
	if v, ok := n.Attrs[name].(string); ok && v != "" {
		return v
	}
	return def
}

// Ints returns the integer-list attribute name, nil where it is absent.
func (n *Node) Ints(name string) []int {
	v, ok := n.Attrs[name].([]int64)
	if !ok {
		return nil
	}
	return toInts(v)
}

// Has tells whether the attribute is there.
func (n *Node) Has(name string) bool { return n.Attrs[name] != nil }

// Axis returns attribute name as an axis of a tensor of the given rank,
// counted from the front.
func (n *Node) Axis(name string, def, rank int) int {
	return Axis(n.Int(name, def), rank)
}

// Axis normalises an axis that may count from the end. It panics where the
// axis does not exist.
func Axis(axis, rank int) int {
	at := axis
	if at < 0 {
		at += rank
	}
	if at < 0 || at >= rank {
		failf("axis %d of a tensor of rank %d", axis, rank)
	}
	return at
}

func toInts(v []int64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

func toInt64s(v []int) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

// Ints makes an integer-list attribute.
func Ints(v ...int) []int64 { return toInt64s(v) }

func attrsOf(p *protos.NodeProto) Attrs {
	out := make(Attrs, len(p.Attribute))
	for _, a := range p.Attribute {
		switch a.Type {
		case protos.AttributeProto_INT:
			out[a.Name] = a.I
		case protos.AttributeProto_FLOAT:
			out[a.Name] = a.F
		case protos.AttributeProto_STRING:
			out[a.Name] = string(a.S)
		case protos.AttributeProto_INTS:
			out[a.Name] = slices.Clone(a.Ints)
		case protos.AttributeProto_FLOATS:
			out[a.Name] = a.Floats
		case protos.AttributeProto_TENSOR:
			out[a.Name] = a.T
		case protos.AttributeProto_GRAPH:
			out[a.Name] = a.G
		}
	}
	return out
}

// tensor returns the handle of a tensor attribute, nil where it is absent.
func (n *Node) tensor(b *Builder, name string) *onnxfile.Tensor {
	p, ok := n.Attrs[name].(*protos.TensorProto)
	if !ok || p == nil {
		return nil
	}
	t, err := b.file.Tensor(p)
	fail(err)
	return t
}
