package onnxopt

import (
	"cmp"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// sortLeaves moves the nodes whose results no other node reads to the end, the
// deepest first. ONNX Runtime computes them one after the other, the last of the
// list first, each after what it needs and has not been computed. So the update
// of a network's last weights comes before that of its first: the other way
// about, the gradients of all activations would be there before the gradient of
// any weight, and wait for it.
func sortLeaves(nodes []*protos.NodeProto) []*protos.NodeProto {
	depth := map[string]int{} // longest path to a value
	read := map[string]bool{}
	depths := make(map[*protos.NodeProto]int, len(nodes))
	for _, n := range nodes { // in topological order
		d := 0
		for _, in := range n.Input {
			d = max(d, depth[in])
			read[in] = true
		}
		depths[n] = d + 1
		for _, out := range n.Output {
			depth[out] = d + 1
		}
	}
	var inner, leaves []*protos.NodeProto
	for _, n := range nodes {
		if slices.ContainsFunc(n.Output, func(out string) bool { return read[out] }) {
			inner = append(inner, n)
		} else {
			leaves = append(leaves, n)
		}
	}
	slices.SortStableFunc(leaves, func(a, b *protos.NodeProto) int { return cmp.Compare(depths[b], depths[a]) })
	return append(inner, leaves...)
}
