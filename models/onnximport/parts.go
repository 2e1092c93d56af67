package onnximport

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"wsss/models/layers"
	"wsss/models/onnximport/legalise"
)

// buildParts returns the nodes of a program's outputs but the last ones: those
// are the cuts, in order, between which the backward pass computes again what
// it needs.
func (m *Model) buildParts(g *graph.Graph, prog *legalise.Program, given map[string]*graph.Node, way Way) ([]*graph.Node, error) {
	cuts := len(way.Cuts)
	n := len(prog.Outputs) - cuts
	ends := prog.Outputs[n:]
	part := func(given map[string]*graph.Node, nodes []*legalise.Node, to ...*legalise.Value) ([]*graph.Node, error) {
		return m.buildSegments(g, &legalise.Program{Nodes: nodes, Outputs: to}, maps.Clone(given), way)
	}
	out, err := part(given, between(prog.Nodes, nil, ends[:1]), ends[0])
	if err != nil {
		return nil, err
	}
	x := out[0]
	given[ends[0].Name] = x
	for i, from := range ends[:cuts-1] {
		to := ends[i+1]
		nodes := between(prog.Nodes, []*legalise.Value{from}, []*legalise.Value{to})
		weights, err := m.partWeights(nodes, from)
		if err != nil {
			return nil, err
		}
		in := make([]*graph.Node, len(weights))
		for i, w := range weights {
			in[i] = given[w.Name]
		}
		x = layers.RecomputeOf(x, in, func(x *graph.Node, in []*graph.Node) *graph.Node {
			inner := map[string]*graph.Node{from.Name: x}
			for i, w := range weights {
				inner[w.Name] = in[i]
			}
			out, err := part(inner, nodes, to)
			if err != nil {
				panic(err)
			}
			return out[0]
		})
		given[to.Name] = x
	}
	return part(given, between(prog.Nodes, ends[cuts-1:], prog.Outputs[:n]), prog.Outputs[:n]...)
}

// partWeights lists the weights of a part, which must read nothing else but
// them and the value from.
func (m *Model) partWeights(nodes []*legalise.Node, from *legalise.Value) ([]*legalise.Value, error) {
	made := map[*legalise.Value]bool{from: true}
	for _, n := range nodes {
		for _, v := range n.In {
			if v != nil && v.Const == nil && v.Weight == nil && !made[v] {
				return nil, fmt.Errorf("%s: what follows %q also depends on %q: it cannot be computed again by itself", m.Path(), from.Name, v.Name)
			}
		}
		for _, v := range n.Out {
			made[v] = true
		}
	}
	return (&legalise.Program{Nodes: nodes}).Weights(), nil
}

// between lists the nodes that make the values to out of the values from, in
// order.
func between(nodes []*legalise.Node, from, to []*legalise.Value) []*legalise.Node {
	needed := map[*legalise.Value]bool{}
	for _, v := range to {
		needed[v] = true
	}
	var list []*legalise.Node
	for _, n := range slices.Backward(nodes) {
		if !slices.ContainsFunc(n.Out, func(v *legalise.Value) bool { return needed[v] && !slices.Contains(from, v) }) {
			continue
		}
		list = append(list, n)
		for _, v := range n.In {
			needed[v] = true
		}
	}
	slices.Reverse(list)
	return list
}
