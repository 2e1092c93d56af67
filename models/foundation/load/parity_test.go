package load

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"wsss/data/datatest"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

// port declares an input or output; dimensions are numbers or names.
func port(name string, kind protos.TensorProto_DataType, dims ...any) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{}
	for _, d := range dims {
		dim := &protos.TensorShapeProto_Dimension{}
		switch v := d.(type) {
		case int:
			dim.Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(v)}
		case string:
			dim.Value = &protos.TensorShapeProto_Dimension_DimParam{DimParam: v}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
		TensorType: &protos.TypeProto_Tensor{ElemType: int32(kind), Shape: shape}}}}
}

func writeModel(t *testing.T, name string, g *protos.GraphProto) string {
	t.Helper()
	g.Name = name
	raw, err := proto.Marshal(&protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 17}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

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
		"half": writeModel(t, "half", &protos.GraphProto{
			Input: []*protos.ValueInfoProto{port("x", half, "n", 3, "h", "w")}, Output: []*protos.ValueInfoProto{port("y", half, "n", 3, "h", "w")},
			Node: []*protos.NodeProto{{OpType: "Relu", Input: []string{"x"}, Output: []string{"y"}}},
		}),
		"bytes": writeModel(t, "bytes", &protos.GraphProto{
			Input: []*protos.ValueInfoProto{port("x", bytes, 1, "h", "w", 3)}, Output: []*protos.ValueInfoProto{port("y", float, 1, "h", "w", 3)},
			Node: []*protos.NodeProto{{OpType: "Cast", Input: []string{"x"}, Output: []string{"y"}, Attribute: []*protos.AttributeProto{to}}},
		}),
		"named": writeModel(t, "named", &protos.GraphProto{
			Input:  []*protos.ValueInfoProto{port("points", float, "batch", "point_batch", "points_per_image", 2), port("labels", float, "batch", "point_batch", "points_per_image")},
			Output: []*protos.ValueInfoProto{port("y", float, "batch", "point_batch", "points_per_image", 1)},
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
