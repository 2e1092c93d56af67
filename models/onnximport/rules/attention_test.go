package rules_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport"
	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/ortref"
	"wsss/models/onnximport/rules"
)

// attention is a model of softmax(scale·Q·K + rows + columns)·V as SAM's
// encoder has it (grid), or softmax(Q·K/scale + mask)·V with a batch axis.
type attention struct {
	heads, rows, columns, width int
	grid                        bool
}

// write returns the model's file and inputs.
func (a attention) write(t testing.TB, r *rand.Rand) (string, map[string]*tensors.Tensor) {
	t.Helper()
	inputs := map[string]*tensors.Tensor{}
	g := &protos.GraphProto{Name: "attention"}
	port := func(name string) *protos.ValueInfoProto {
		return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{ElemType: int32(protos.TensorProto_FLOAT)}}}}
	}
	input := func(name string, dims ...int) {
		n, p := 1, port(name)
		shape := &protos.TensorShapeProto{}
		for _, d := range dims {
			n *= d
			shape.Dim = append(shape.Dim, &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
		}
		p.Type.GetTensorType().Shape = shape
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(2 * r.NormFloat64())
		}
		inputs[name] = tensors.FromFlatDataAndDimensions(v, dims...)
		g.Input = append(g.Input, p)
	}
	list := func(name string, v ...int64) {
		g.Initializer = append(g.Initializer, &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(v))}, Int64Data: v})
	}
	node := func(op, to string, from ...string) *protos.NodeProto {
		n := &protos.NodeProto{OpType: op, Input: from, Output: []string{to}}
		g.Node = append(g.Node, n)
		return n
	}
	n := a.rows * a.columns
	lead := []int{a.heads}
	if !a.grid {
		lead = []int{1, a.heads}
	}
	input("q", append(lead, n, a.width)...)
	input("k", append(lead, a.width, n)...)
	input("v", append(lead, n, a.width)...)
	g.Initializer = append(g.Initializer, &protos.TensorProto{Name: "scale", DataType: int32(protos.TensorProto_FLOAT), FloatData: []float32{0.4}})
	if a.grid {
		input("rows", a.heads, a.rows, a.columns, a.rows, 1)
		input("cols", a.heads, a.rows, a.columns, 1, a.columns)
		list("five", int64(a.heads), int64(a.rows), int64(a.columns), int64(a.rows), int64(a.columns))
		list("three", int64(a.heads), int64(n), int64(n))
		node("Mul", "scaled", "q", "scale")
		node("MatMul", "product", "scaled", "k")
		node("Reshape", "spread", "product", "five")
		node("Add", "some", "spread", "rows")
		node("Add", "all", "some", "cols")
		node("Reshape", "scores", "all", "three")
	} else {
		input("mask", 1, 1, n, n)
		node("MatMul", "product", "q", "k")
		node("Div", "spread", "product", "scale")
		node("Add", "scores", "spread", "mask")
	}
	node("Softmax", "shares", "scores").Attribute = []*protos.AttributeProto{{Name: "axis", Type: protos.AttributeProto_INT, I: -1}}
	node("MatMul", "out", "shares", "v")
	g.Output = []*protos.ValueInfoProto{port("out")}
	raw, err := proto.Marshal(&protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 16}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "attention.onnx")
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	return path, inputs
}

// TestAttentionByParts: large attention, computed for some heads at a time, never
// has all scores at once and equals ONNX Runtime on random shapes.
func TestAttentionByParts(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 6 {
		a := attention{heads: 5 + r.IntN(5), rows: 2 + r.IntN(3), columns: 2 + r.IntN(4), width: 3 + r.IntN(4), grid: i%2 == 0}
		t.Run(fmt.Sprintf("%+v", a), func(t *testing.T) {
			path, inputs := a.write(t, r)
			scores := a.heads * a.rows * a.columns * a.rows * a.columns
			defer rules.SetPartElements(scores/5 + i)()
			if n := largest(t, path); n > scores/2 {
				t.Errorf("a softmax of %d elements, all scores are %d", n, scores)
			}
			ref, err := ortref.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer ref.Close()
			want, err := ref.Run(inputs)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range backendtest.Names(t) {
				compare(t, spec, path, inputs, want["out"])
			}
		})
	}
}

// largest counts the elements of the largest softmax.
func largest(t *testing.T, path string) int {
	t.Helper()
	f, err := onnxfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	prog, err := legalise.Run(f, legalise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, node := range prog.Nodes {
		if node.Op == "Softmax" {
			n = max(n, node.Out[0].Len())
		}
	}
	return n
}

// imported is a file on an engine, until the test ends.
func imported(t testing.TB, spec, path string) *onnximport.Runner {
	t.Helper()
	b, err := backend.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnximport.Open(path, onnximport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	run, err := onnximport.NewRunner(b, m, onnximport.RunnerOptions{NoORT: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	return run
}

func compare(t *testing.T, spec, path string, inputs map[string]*tensors.Tensor, want *tensors.Tensor) {
	t.Helper()
	out, err := imported(t, spec, path).Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	if got := out["out"].Shape(); !got.Equal(want.Shape()) {
		t.Fatalf("%s: shape %s, want %s", spec, got, want.Shape())
	}
	x, y := tensors.MustCopyFlatData[float32](out["out"]), tensors.MustCopyFlatData[float32](want)
	for i, v := range x {
		if !(math.Abs(float64(v-y[i])) < 2e-5) {
			t.Fatalf("%s: value %d is %v, want %v", spec, i, v, y[i])
		}
	}
}

// BenchmarkAttention is one global attention of SAM's ViT-B encoder.
func BenchmarkAttention(b *testing.B) {
	if backend.FindORT() == "" {
		b.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	path, inputs := attention{heads: 12, rows: 64, columns: 64, width: 64, grid: true}.write(b, rand.New(rand.NewPCG(5, 6)))
	ref, err := ortref.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	time := func(name string, run func(map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := run(inputs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	time("ort", ref.Run)
	ref.Close()
	for _, spec := range backendtest.Names(b) {
		time(spec, imported(b, spec, path).Run)
	}
}
