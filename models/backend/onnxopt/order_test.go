package onnxopt

import (
	"slices"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
)

// TestLeaves: of a chain of three gradients with a weight each, the update of
// the last weight, whose gradient comes first, is the last in the list.
func TestLeaves(t *testing.T) {
	node := func(out string, in ...string) *protos.NodeProto {
		return &protos.NodeProto{OpType: "Mul", Input: in, Output: []string{out}}
	}
	g := &protos.GraphProto{Node: []*protos.NodeProto{
		node("w3 new", "dy", "x2"), node("dx2", "dy", "w3"),
		node("dx1", "dx2", "w2"), node("w1 new", "dx1", "x0"), node("w2 new", "dx2", "x1"),
	}}
	for _, n := range g.Node {
		g.Output = append(g.Output, &protos.ValueInfoProto{Name: n.Output[0]})
	}
	Rewrite(g)
	var got []string
	for _, n := range g.Node {
		got = append(got, n.Output[0])
	}
	if want := []string{"dx2", "dx1", "w1 new", "w2 new", "w3 new"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
