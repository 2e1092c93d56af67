package onnxopt

import (
	"slices"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
)

func TestProducts(t *testing.T) {
	for _, c := range []struct {
		equation string
		ops      []string
	}{
		{"abc,acd->abd", []string{"MatMul"}},
		{"abcd,abed->abce", []string{"Transpose", "MatMul"}},
		{"abc,bad->abd", []string{"Einsum"}}, // no axis is shared and summed over
		{"bac,bcd->bad", []string{"MatMul"}},
		{"abc,cbd->bad", []string{"Transpose", "Transpose", "MatMul"}},
		{"abc,cd->abd", []string{"MatMul"}},
		{"ab,cbd->acd", []string{"MatMul", "Transpose"}},
		{"ba,cbd->cad", []string{"Transpose", "MatMul"}},
		{"abc,abd->cd", []string{"Einsum"}},    // two sums
		{"abcd,aed->abce", []string{"Einsum"}}, // rows of two axes within a batch
		{"ab,ab->a", []string{"Einsum"}},
		{"ab,cd->abcd", []string{"Einsum"}},
	} {
		g := &protos.GraphProto{Output: []*protos.ValueInfoProto{{Name: "z"}}, Node: []*protos.NodeProto{{OpType: "Einsum", Input: []string{"x", "y"}, Output: []string{"z"},
			Attribute: []*protos.AttributeProto{{Name: "equation", Type: protos.AttributeProto_STRING, S: []byte(c.equation)}}}}}
		Rewrite(g)
		var ops []string
		for _, n := range g.Node {
			ops = append(ops, n.OpType)
		}
		if !slices.Equal(ops, c.ops) {
			t.Errorf("%s: %v, want %v", c.equation, ops, c.ops)
		}
		if last := g.Node[len(g.Node)-1]; last.Output[0] != "z" {
			t.Errorf("%s: the result is named %s", c.equation, last.Output[0])
		}
	}
}
