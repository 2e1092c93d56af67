package onnximport

import (
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
)

func body(nodes []*protos.NodeProto, in []*protos.ValueInfoProto, out ...*protos.ValueInfoProto) *protos.GraphProto {
	return &protos.GraphProto{Name: "body", Node: nodes, Input: in, Output: out}
}

func scalarInt(name string, v int64) *protos.TensorProto {
	return &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_INT64), Int64Data: []int64{v}}
}

// TestControlFlow unrolls loops and takes or merges branches.
func TestControlFlow(t *testing.T) {
	f32, i64, boolean := protos.TensorProto_FLOAT, protos.TensorProto_INT64, protos.TensorProto_BOOL
	x := portProto("x", f32, "n")
	loopIn := []*protos.ValueInfoProto{portProto("i", i64), portProto("going", boolean), portProto("acc", f32, "n")}
	add := []*protos.NodeProto{
		n("Cast", []string{"i"}, []string{"fi"}, at{"to": int(f32)}),
		n("Add", []string{"acc", "fi"}, []string{"next"}, nil),
		n("Mul", []string{"next", "x"}, []string{"seen"}, nil),
	}
	always := append([]*protos.NodeProto{n("Identity", []string{"going"}, []string{"on"}, nil)}, add...)
	while := append([]*protos.NodeProto{
		n("Less", []string{"i", "three"}, []string{"on"}, nil),
	}, add...)
	loopOut := []*protos.ValueInfoProto{portProto("on", boolean), portProto("next", f32, "n"), portProto("seen", f32, "n")}
	branch := func(op string) *protos.GraphProto {
		return body([]*protos.NodeProto{n(op, []string{"x", "x"}, []string{op}, nil)}, nil, portProto(op, f32, "n"))
	}
	for name, c := range map[string]struct {
		nodes []*protos.NodeProto
		inits []*protos.TensorProto
		outs  []string
	}{
		"for loop with collected values": {
			[]*protos.NodeProto{n("Loop", []string{"four", "", "x"}, []string{"y", "all"}, at{"body": body(always, loopIn, loopOut...)})},
			[]*protos.TensorProto{scalarInt("four", 4)}, []string{"y", "all"},
		},
		"while loop": {
			[]*protos.NodeProto{n("Loop", []string{"", "yes", "x"}, []string{"y", "all"}, at{"body": body(while, loopIn, loopOut...)})},
			[]*protos.TensorProto{scalarInt("three", 3), {Name: "yes", DataType: int32(boolean), Int32Data: []int32{1}}}, []string{"y", "all"},
		},
		"branch by shape": {
			[]*protos.NodeProto{
				n("Size", []string{"x"}, []string{"size"}, nil),
				n("Greater", []string{"size", "three"}, []string{"cond"}, nil),
				n("If", []string{"cond"}, []string{"y"}, at{"then_branch": branch("Add"), "else_branch": branch("Mul")}),
			},
			[]*protos.TensorProto{scalarInt("three", 3)}, []string{"y"},
		},
		"branch by data": {
			[]*protos.NodeProto{
				n("ReduceMax", []string{"x"}, []string{"top"}, at{"keepdims": 0}),
				n("Cast", []string{"top"}, []string{"whole"}, at{"to": int(i64)}),
				n("Greater", []string{"whole", "three"}, []string{"cond"}, nil),
				n("If", []string{"cond"}, []string{"y"}, at{"then_branch": branch("Add"), "else_branch": branch("Mul")}),
			},
			[]*protos.TensorProto{scalarInt("three", 3)}, []string{"y"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if backend.FindORT() == "" {
				t.Skip("ONNX Runtime is not installed: nothing to compare with")
			}
			g := &protos.GraphProto{Name: "g", Node: c.nodes, Initializer: c.inits, Input: []*protos.ValueInfoProto{x}}
			for i, o := range c.outs {
				g.Output = append(g.Output, portProto(o, f32, []string{"n", "trips"}[:1+i]...))
			}
			path := writeModel(t, modelProto(g))
			for _, v := range [][]float32{{1, 2, 2.5}, {1, 2, 5, 7}} {
				in := map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions(v, len(v))}
				want := fromORT(t, path, in, c.outs)
				out, err := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true}).Run(in)
				if err != nil {
					t.Fatal(err)
				}
				for i, got := range samplesOf(out, c.outs) {
					if err := compare(got, want[i], 1e-6); err != nil {
						t.Errorf("%v: output %s: %v", v, c.outs[i], err)
					}
				}
			}
		})
	}
}

// TestEndlessLoop refuses loops that do not end.
func TestEndlessLoop(t *testing.T) {
	f32, i64, boolean := protos.TensorProto_FLOAT, protos.TensorProto_INT64, protos.TensorProto_BOOL
	b := body([]*protos.NodeProto{
		n("Identity", []string{"going"}, []string{"on"}, nil),
		n("Identity", []string{"acc"}, []string{"next"}, nil),
	}, []*protos.ValueInfoProto{portProto("i", i64), portProto("going", boolean), portProto("acc", f32, "n")},
		portProto("on", boolean), portProto("next", f32, "n"))
	path := writeModel(t, modelProto(&protos.GraphProto{
		Node:        []*protos.NodeProto{n("Loop", []string{"", "yes", "x"}, []string{"y"}, at{"body": b})},
		Initializer: []*protos.TensorProto{{Name: "yes", DataType: int32(boolean), Int32Data: []int32{1}}},
		Input:       []*protos.ValueInfoProto{portProto("x", f32, "n")},
		Output:      []*protos.ValueInfoProto{portProto("y", f32, "n")},
	}))
	_, err := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true}).Run(map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{1}, 1)})
	if err == nil || !strings.Contains(err.Error(), "trips") {
		t.Errorf("error %v, want one about trips", err)
	}
}

// TestDynamicQuantize takes the way of a quantised export: numbers to bytes
// and back.
func TestDynamicQuantize(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	f32 := protos.TensorProto_FLOAT
	path := writeModel(t, modelProto(&protos.GraphProto{
		Name: "g",
		Node: []*protos.NodeProto{
			n("DynamicQuantizeLinear", []string{"x"}, []string{"q", "scale", "zero"}, nil),
			n("MatMulInteger", []string{"q", "w", "zero"}, []string{"sums"}, nil),
			n("Cast", []string{"sums"}, []string{"wide"}, at{"to": int(f32)}),
			n("Mul", []string{"wide", "scale"}, []string{"y"}, nil),
		},
		Initializer: []*protos.TensorProto{{Name: "w", DataType: int32(protos.TensorProto_INT8), Dims: []int64{3, 2}, Int32Data: []int32{1, -2, 3, 127, -128, 0}}},
		Input:       []*protos.ValueInfoProto{portProto("x", f32, "a", "b")},
		Output:      []*protos.ValueInfoProto{portProto("y", f32, "a", "c")},
	}))
	in := map[string]*tensors.Tensor{"x": matrix(2, 3, -1, 2.5, 0.3, 4, -0.2, 1)}
	want := fromORT(t, path, in, []string{"y"})
	out, err := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true}).Run(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(sampleOf(out["y"]), want[0], 1e-5); err != nil {
		t.Error(err)
	}
}
