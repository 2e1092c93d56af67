package onnximport

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/legalise"
)

// TestResizeTwice: enlarging, cutting and resizing again, as SAM's decoder does
// with its masks, equals ONNX Runtime on random shapes, and is one step where
// the first enlarges.
func TestResizeTwice(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	r := rand.New(rand.NewPCG(1, 2))
	size := func(lo, hi int) int64 { return int64(lo + r.IntN(hi-lo)) }
	for i := range 12 {
		in := []int64{1 + int64(i%2), size(1, 4), size(3, 9), size(3, 9)}
		lo, hi := 9, 20
		if i%4 == 3 { // the first shrinks
			lo, hi = 2, 3
		}
		middle := []int64{in[0], in[1], size(lo, hi), size(lo, hi)}
		cut := []int64{size(1, int(middle[2])+1), size(1, int(middle[3])+1)}
		last := []int64{in[0], in[1], size(2, 25), size(2, 25)}
		mode := []string{"linear", "cubic"}[i/2%2]
		t.Run(fmt.Sprintf("%s %v %v %v %v", mode, in, middle, cut, last), func(t *testing.T) {
			x := rnd(int(in[0]), int(in[1]), int(in[2]), int(in[3])).tensor(r)
			resize := func(from, to, sizes string) *protos.NodeProto {
				return &protos.NodeProto{OpType: "Resize", Input: []string{from, "", "", sizes}, Output: []string{to}, Attribute: []*protos.AttributeProto{attrProto("mode", mode)}}
			}
			list := func(name string, v ...int64) *protos.TensorProto {
				return tensorProto(name, tensors.FromFlatDataAndDimensions(v, len(v)))
			}
			path := writeModel(t, &protos.ModelProto{IrVersion: 8, OpsetImport: []*protos.OperatorSetIdProto{{Version: 16}}, Graph: &protos.GraphProto{
				Name:        "twice",
				Input:       []*protos.ValueInfoProto{openPort("x", x)},
				Output:      []*protos.ValueInfoProto{openPort("y", x), openPort("z", x)},
				Initializer: []*protos.TensorProto{list("middle", middle...), list("last", last...), list("zero", 0, 0), list("cut", cut...), list("axes", 2, 3)},
				Node: []*protos.NodeProto{resize("x", "y", "middle"),
					{OpType: "Slice", Input: []string{"y", "zero", "cut", "axes"}, Output: []string{"part"}}, resize("part", "z", "last")},
			}})
			inputs := map[string]*tensors.Tensor{"x": x}
			want := reference(t, path, inputs)
			for _, spec := range backendtest.Names(t) {
				b, err := backend.Open(spec)
				if err != nil {
					t.Fatal(err)
				}
				compareOutputs(t, spec, onEngine(t, spec, b, strings.TrimSuffix(path, ".onnx"), nil, inputs), want, nil)
			}
			onlyEnd(t, path, x.Shape().Dimensions, middle[2] >= in[2] && cut[0] >= in[2] && cut[1] >= in[3])
		})
	}
}

// onlyEnd looks whether the last resize starts from the input.
func onlyEnd(t *testing.T, path string, dims []int, one bool) {
	m, err := Open(path, Options{Outputs: []string{"z"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	prog, err := m.legalised(legalise.Options{Shapes: map[string][]int{"x": dims}, Values: map[string]*legalise.Const{}, Outputs: []string{"z"}})
	if err != nil {
		t.Fatal(err)
	}
	cuts := slices.ContainsFunc(prog.Nodes, func(n *legalise.Node) bool { return n.Op == "Slice" })
	if one && cuts {
		t.Error("the result of the first resize is made and cut")
	}
}
