// Package onnxtest writes small ONNX files for tests.
package onnxtest

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

// Port declares a float32 input or output; dimensions are numbers or names.
func Port(name string, dims ...any) *protos.ValueInfoProto {
	return TypedPort(name, protos.TensorProto_FLOAT, dims...)
}

// TypedPort is Port with an element type.
func TypedPort(name string, kind protos.TensorProto_DataType, dims ...any) *protos.ValueInfoProto {
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

// Node is a node with one output.
func Node(op, out string, in []string, attrs ...*protos.AttributeProto) *protos.NodeProto {
	return &protos.NodeProto{OpType: op, Input: in, Output: []string{out}, Attribute: attrs}
}

// Int is an attribute.
func Int(name string, v int64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INT, I: v}
}

// Ints is an attribute.
func Ints(name string, v ...int64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: v}
}

// Floats is an initializer.
func Floats(name string, values []float32, dims ...int64) *protos.TensorProto {
	raw := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	return &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_FLOAT), Dims: dims, RawData: raw}
}

// Write writes a model of operator set 17 into the test's folder.
func Write(t testing.TB, name string, g *protos.GraphProto) string {
	t.Helper()
	g.Name = name
	return write(t, name+".onnx", &protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 17}}})
}

// Edited writes the model at path, its graph changed, as a file of a name into the
// test's folder.
func Edited(t testing.TB, path, name string, edit func(g *protos.GraphProto)) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := new(protos.ModelProto)
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	edit(m.Graph)
	return write(t, name, m)
}

func write(t testing.TB, name string, m *protos.ModelProto) string {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// MeanColours writes a network whose features are the mean colour of patches of 4×4
// pixels: x [n, 3, h, w] to maps [n, 3, h/4, w/4].
func MeanColours(t testing.TB) string {
	t.Helper()
	eye := make([]float32, 3*3*16)
	for c := range 3 {
		for i := range 16 {
			eye[(c*3+c)*16+i] = 1.0 / 16
		}
	}
	return Write(t, "colours", &protos.GraphProto{
		Input:       []*protos.ValueInfoProto{Port("x", "n", 3, "h", "w")},
		Output:      []*protos.ValueInfoProto{Port("maps", "n", 3, "gh", "gw")},
		Node:        []*protos.NodeProto{Node("Conv", "maps", []string{"x", "eye"}, Ints("kernel_shape", 4, 4), Ints("strides", 4, 4))},
		Initializer: []*protos.TensorProto{Floats("eye", eye, 3, 3, 4, 4)},
	})
}
