package onnxopt

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
)

// TestNumbers: operands that are one number many times become that number where
// the result keeps its shape, and only there.
func TestNumbers(t *testing.T) {
	list := func(name string, v ...int64) *protos.TensorProto {
		return &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(v))}, Int64Data: v}
	}
	node := func(op, out string, in ...string) *protos.NodeProto {
		return &protos.NodeProto{OpType: op, Input: in, Output: []string{out}}
	}
	for _, c := range []struct {
		name  string
		nodes []*protos.NodeProto
		want  []string
	}{
		{"expanded", []*protos.NodeProto{node("Reshape", "x", "in", "six"), node("Expand", "n", "one", "six"), node("Max", "y", "x", "n")},
			[]string{"x=Reshape[in six]", "y=Max[x one_scalar]"}},
		{"bounds", []*protos.NodeProto{node("Reshape", "x", "in", "six"), node("Max", "low", "x", "zero"), node("Reshape", "r", "one", "shape1"), node("Expand", "n", "r", "six"), node("Min", "y", "low", "n")},
			[]string{"x=Reshape[in six]", "y=Clip[x zero one_scalar]"}},
		{"larger than the other", []*protos.NodeProto{node("Reshape", "x", "in", "three"), node("Expand", "n", "one", "six"), node("Max", "y", "x", "n")},
			[]string{"x=Reshape[in three]", "n=Expand[one six]", "y=Max[x n]"}},
		{"of more axes", []*protos.NodeProto{node("Reshape", "x", "in", "shape1"), node("Expand", "n", "one", "three"), node("Add", "y", "n", "x")},
			[]string{"x=Reshape[in shape1]", "n=Expand[one three]", "y=Add[n x]"}},
		{"unknown shape", []*protos.NodeProto{node("Unknown", "x", "in"), node("Expand", "n", "one", "six"), node("Max", "y", "x", "n")},
			[]string{"x=Unknown[in]", "n=Expand[one six]", "y=Max[x n]"}},
		{"not one number", []*protos.NodeProto{node("Reshape", "x", "in", "six"), node("Expand", "n", "two", "six"), node("Max", "y", "x", "n")},
			[]string{"x=Reshape[in six]", "n=Expand[two six]", "y=Max[x n]"}},
		{"bounds of floats", []*protos.NodeProto{node("Reshape", "x", "in", "six"), node("Max", "low", "x", "half"), node("Min", "y", "low", "half")},
			[]string{"x=Reshape[in six]", "low=Max[x half]", "y=Min[low half]"}},
		{"left over", []*protos.NodeProto{node("Floor", "x", "in"), node("Floor", "y", "in")}, []string{"y=Floor[in]"}},
	} {
		scalar := func(name string, kind protos.TensorProto_DataType) *protos.TensorProto {
			return &protos.TensorProto{Name: name, DataType: int32(kind), Int64Data: []int64{0}, FloatData: []float32{0.5}}
		}
		g := &protos.GraphProto{Node: c.nodes, Input: []*protos.ValueInfoProto{{Name: "in"}}, Output: []*protos.ValueInfoProto{{Name: "y"}},
			Initializer: []*protos.TensorProto{list("one", 7), list("two", 7, 8), list("six", 2, 3), list("three", 1, 3), list("shape1", 1),
				scalar("zero", protos.TensorProto_INT64), scalar("half", protos.TensorProto_FLOAT)}}
		Rewrite(g)
		var got []string
		for _, n := range g.Node {
			got = append(got, fmt.Sprintf("%s=%s%v", n.Output[0], n.OpType, n.Input))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
