package onnxopt

import (
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

// numbers gives operations between an array and one number, which the backend
// expands to the array's shape, the number itself. Whole numbers that are held
// between two bounds, as all that gathers go by, are so in one step: of two that
// broadcast, ONNX Runtime is slow at those where the last axis is one long.
func numbers(g *protos.GraphProto, k *known) {
	for _, n := range g.Node {
		switch n.OpType {
		case "Add", "Sub", "Mul", "Div", "Max", "Min":
		default:
			continue
		}
		if len(n.Input) != 2 {
			continue
		}
		for i, name := range n.Input {
			other := k.shape(n.Input[1-i])
			if t := k.number(name); t != nil && other != nil && len(k.shape(name)) > 0 && slices.Equal(broadcast(other, k.shape(name)), other) {
				n.Input[i] = k.scalar(g, t)
			}
		}
		if low := k.makers[n.Input[0]]; n.OpType == "Min" && low != nil && low.OpType == "Max" && len(low.Input) == 2 && k.isWhole(n.Input[1]) && k.isWhole(low.Input[1]) {
			n.OpType, n.Input = "Clip", []string{low.Input[0], low.Input[1], n.Input[1]}
		}
	}
}

// scalar is a number as a constant without axes.
func (k *known) scalar(g *protos.GraphProto, t *protos.TensorProto) string {
	name := t.Name
	if len(t.Dims) > 0 {
		name += "_scalar"
	}
	if k.constants[name] == nil {
		s := proto.Clone(t).(*protos.TensorProto)
		s.Name, s.Dims = name, nil
		g.Initializer = append(g.Initializer, s)
		k.constants[name], k.shapes[name] = s, []int64{}
	}
	return name
}

// isWhole tells whether a value is one int64 without axes, known beforehand.
func (k *known) isWhole(name string) bool {
	t := k.constants[name]
	return t != nil && len(t.Dims) == 0 && t.DataType == int32(protos.TensorProto_INT64)
}

// sweep drops nodes and constants that nothing uses.
func sweep(g *protos.GraphProto) {
	used := map[string]bool{}
	for _, o := range g.Output {
		used[o.Name] = true
	}
	nodes := make([]*protos.NodeProto, 0, len(g.Node))
	for _, n := range slices.Backward(g.Node) {
		if slices.ContainsFunc(n.Output, func(o string) bool { return used[o] }) {
			nodes = append(nodes, n)
			for _, in := range n.Input {
				used[in] = true
			}
		}
	}
	slices.Reverse(nodes)
	g.Node = nodes
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *protos.TensorProto) bool { return !used[t.Name] })
}
