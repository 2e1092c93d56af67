package load

import (
	"context"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/onnxtest"
)

// TestCompareInputs: half-precision and byte inputs are fed, dimensions of one
// name get one size, pictures a side that a network can halve, and a given
// shape is what runs.
func TestCompareInputs(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: set ONNXRUNTIME_SHARED_LIBRARY_PATH")
	}
	to := &protos.AttributeProto{Name: "to", Type: protos.AttributeProto_INT, I: int64(protos.TensorProto_FLOAT)}
	const half, float, bytes = protos.TensorProto_FLOAT16, protos.TensorProto_FLOAT, protos.TensorProto_UINT8
	paths := map[string]string{
		"half": onnxtest.Write(t, "half", &protos.GraphProto{
			Input: []*protos.ValueInfoProto{onnxtest.TypedPort("x", half, "n", 3, "h", "w")}, Output: []*protos.ValueInfoProto{onnxtest.TypedPort("y", half, "n", 3, "h", "w")},
			Node: []*protos.NodeProto{{OpType: "Relu", Input: []string{"x"}, Output: []string{"y"}}},
		}),
		"bytes": onnxtest.Write(t, "bytes", &protos.GraphProto{
			Input: []*protos.ValueInfoProto{onnxtest.TypedPort("x", bytes, 1, "h", "w", 3)}, Output: []*protos.ValueInfoProto{onnxtest.TypedPort("y", float, 1, "h", "w", 3)},
			Node: []*protos.NodeProto{{OpType: "Cast", Input: []string{"x"}, Output: []string{"y"}, Attribute: []*protos.AttributeProto{to}}},
		}),
		"named": onnxtest.Write(t, "named", &protos.GraphProto{
			Input:  []*protos.ValueInfoProto{onnxtest.TypedPort("points", float, "batch", "point_batch", "points_per_image", 2), onnxtest.TypedPort("labels", float, "batch", "point_batch", "points_per_image")},
			Output: []*protos.ValueInfoProto{onnxtest.TypedPort("y", float, "batch", "point_batch", "points_per_image", 1)},
			Node: []*protos.NodeProto{
				{OpType: "ReduceMean", Input: []string{"points"}, Output: []string{"m"}, Attribute: []*protos.AttributeProto{
					{Name: "axes", Type: protos.AttributeProto_INTS, Ints: []int64{3}}, {Name: "keepdims", Type: protos.AttributeProto_INT, I: 0}}},
				{OpType: "Add", Input: []string{"m", "labels"}, Output: []string{"y"}},
			},
		}),
	}
	for _, name := range []string{"half.onnx", "bytes_in.onnx", "unet_dyn.onnx"} {
		if path, ok := datatest.Case("19-parity-inputs", name); ok {
			paths[name] = path
		}
	}
	for _, spec := range backendtest.Quick(t) {
		b := backendtest.Open(t, spec)
		for name, path := range paths {
			run, err := Compare(context.Background(), b, path, 1, nil)
			if err != nil {
				t.Errorf("%s on %s: %v", name, spec, err)
				continue
			}
			for _, o := range run.Outputs {
				if run.Whole || !(o.Error <= 1e-3) {
					t.Errorf("%s on %s: error %.2g, whole %t", name, spec, o.Error, run.Whole)
				}
			}
		}
	}
	b := backendtest.One(t)
	if _, err := Compare(context.Background(), b, paths["half"], 1, map[string][]int{"x": {2, 3, 7, 9}}); err != nil {
		t.Error(err)
	}
	for want, dims := range map[string]map[string][]int{
		`no input "z": allowed are x`:  {"z": {1}},
		`"x" takes 4 dimensions, [1 3`: {"x": {1, 3}},
	} {
		if _, err := Compare(context.Background(), b, paths["half"], 1, dims); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestCompareShares: the last digits of shares of which none is large are no error.
func TestCompareShares(t *testing.T) {
	small := []float32{4e-6, 1e-7}
	path := onnxtest.Write(t, "shares", &protos.GraphProto{
		Input: []*protos.ValueInfoProto{onnxtest.Port("x", 2)}, Output: []*protos.ValueInfoProto{onnxtest.Port("y", 2), onnxtest.Port("z", 2)},
		Node: []*protos.NodeProto{
			onnxtest.Node("Sigmoid", "s", []string{"x"}), onnxtest.Node("Identity", "y", []string{"s"}), onnxtest.Node("Relu", "z", []string{"s"})},
	})
	whole, err := sharesOf(path)
	if err != nil || whole["y"] != 1 || whole["z"] != 0 {
		t.Errorf("%v, %v: y alone ends with a sigmoid", whole, err)
	}
	a, b := tensors.FromFlatDataAndDimensions(small, 2), tensors.FromFlatDataAndDimensions([]float32{4.2e-6, 1e-7}, 2)
	if got := difference(a, b, 1); !(got < 1e-6) {
		t.Errorf("error %g of shares", got)
	}
	if got := difference(a, b, 0); !(got > 0.01) {
		t.Errorf("error %g of features", got)
	}
}
