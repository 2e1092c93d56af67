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

// TestResizeBeforeQuantising: where values become bytes by their own range, maps
// are resized by ONNX Runtime's steps, so that next to none of them rounds otherwise.
// Some third do by a matrix product per axis.
func TestResizeBeforeQuantising(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		coords   string
		in, size []int64
	}{
		{"half_pixel", []int64{1, 3, 16, 16}, []int64{32, 32}},
		{"half_pixel", []int64{2, 2, 7, 9}, []int64{20, 15}},
		{"pytorch_half_pixel", []int64{1, 3, 8, 5}, []int64{64, 1}},
		{"align_corners", []int64{1, 2, 9, 6}, []int64{17, 23}},
		{"asymmetric", []int64{1, 2, 20, 11}, []int64{11, 33}},
	} {
		t.Run(fmt.Sprint(c.coords, c.in, c.size), func(t *testing.T) {
			x := rnd(int(c.in[0]), int(c.in[1]), int(c.in[2]), int(c.in[3])).tensor(r)
			sizes := []int64{c.in[0], c.in[1], c.size[0], c.size[1]}
			path := writeModel(t, &protos.ModelProto{IrVersion: 8, OpsetImport: []*protos.OperatorSetIdProto{{Version: 15}}, Graph: &protos.GraphProto{
				Name:        "bytes",
				Input:       []*protos.ValueInfoProto{openPort("x", x)},
				Output:      []*protos.ValueInfoProto{openPort("y", x), openPort("scale", tensors.FromScalar(float32(1)))},
				Initializer: []*protos.TensorProto{tensorProto("sizes", tensors.FromFlatDataAndDimensions(sizes, 4))},
				Node: []*protos.NodeProto{
					{OpType: "Resize", Input: []string{"x", "", "", "sizes"}, Output: []string{"y"}, Attribute: []*protos.AttributeProto{attrProto("mode", "linear"), attrProto("coordinate_transformation_mode", c.coords)}},
					{OpType: "DynamicQuantizeLinear", Input: []string{"y"}, Output: []string{"bytes", "scale", "zero"}}},
			}})
			inputs := map[string]*tensors.Tensor{"x": x}
			want := reference(t, path, inputs)
			for _, spec := range backendtest.Names(t) {
				b, err := backend.Open(spec)
				if err != nil {
					t.Fatal(err)
				}
				got := onEngine(t, spec, b, strings.TrimSuffix(path, ".onnx"), nil, inputs)
				compareOutputs(t, spec, got, want, nil)
				if strings.HasPrefix(spec, "xla") { // its compiler joins products and sums
					continue
				}
				ours, theirs := tensors.MustCopyFlatData[float32](got["y"]), tensors.MustCopyFlatData[float32](want["y"])
				other := 0
				for i := range ours {
					if ours[i] != theirs[i] {
						other++
					}
				}
				if other > len(ours)/50 {
					t.Errorf("%s: %d of %d places are rounded otherwise", spec, other, len(ours))
				}
			}
		})
	}
}
