package onnximport

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

func n(op string, in []string, out []string, attrs at) *protos.NodeProto {
	p := &protos.NodeProto{OpType: op, Input: in, Output: out}
	for name, v := range attrs {
		p.Attribute = append(p.Attribute, attrProto(name, v))
	}
	return p
}

func portProto(name string, kind protos.TensorProto_DataType, dims ...string) *protos.ValueInfoProto {
	s := &protos.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimParam{DimParam: d}})
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
		TensorType: &protos.TypeProto_Tensor{ElemType: int32(kind), Shape: s}}}}
}

func fixedPort(name string, kind protos.TensorProto_DataType, dims ...int64) *protos.ValueInfoProto {
	p := portProto(name, kind)
	for _, d := range dims {
		shape := p.Type.GetTensorType().Shape
		shape.Dim = append(shape.Dim, &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return p
}

func initOf(name string, kind protos.TensorProto_DataType, data []float32, dims ...int64) *protos.TensorProto {
	return &protos.TensorProto{Name: name, DataType: int32(kind), Dims: dims, FloatData: data}
}

func modelProto(g *protos.GraphProto) *protos.ModelProto {
	return &protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 16}}}
}

// linearModel is y = x·w, hidden = x·2, with x [batch, 2].
func linearModel(t testing.TB) string {
	return writeModel(t, modelProto(&protos.GraphProto{
		Node: []*protos.NodeProto{
			n("Mul", []string{"x", "two"}, []string{"hidden"}, nil),
			n("MatMul", []string{"x", "w"}, []string{"y"}, nil),
		},
		Initializer: []*protos.TensorProto{
			initOf("w", protos.TensorProto_FLOAT, []float32{1, 2, 3, 4, 5, 6}, 2, 3),
			initOf("two", protos.TensorProto_FLOAT, []float32{2}),
		},
		Input:  []*protos.ValueInfoProto{portProto("x", protos.TensorProto_FLOAT, "batch", "two")},
		Output: []*protos.ValueInfoProto{portProto("y", protos.TensorProto_FLOAT, "batch", "three")},
	}))
}

func open(t testing.TB, path string, opt Options) *Model {
	t.Helper()
	m, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func runner(t testing.TB, m *Model, opt RunnerOptions) *Runner {
	t.Helper()
	b := backendtest.One(t)
	r, err := NewRunner(b, m, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func matrix(rows, cols int, v ...float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(v, rows, cols)
}

func TestRunnerShapes(t *testing.T) {
	r := runner(t, open(t, linearModel(t), Options{}), RunnerOptions{MaxShapes: 2})
	for _, batch := range []int{1, 2, 3, 2, 1, 4} {
		x := make([]float32, 2*batch)
		for i := range x {
			x[i] = float32(i)
		}
		out, err := r.Run(map[string]*tensors.Tensor{"x": matrix(batch, 2, x...)})
		if err != nil {
			t.Fatal(err)
		}
		y := asFloats(out["y"])
		for i := range batch {
			for j := range 3 {
				if want := float64(x[2*i])*float64(1+j) + float64(x[2*i+1])*float64(4+j); y[3*i+j] != want {
					t.Fatalf("batch %d: y[%d,%d] = %g, want %g", batch, i, j, y[3*i+j], want)
				}
			}
		}
		if r.programs.Len() > 2 {
			t.Fatalf("%d compiled graphs are kept, 2 allowed", r.programs.Len())
		}
	}
}

func TestRunnerInnerOutput(t *testing.T) {
	r := runner(t, open(t, linearModel(t), Options{Outputs: []string{"hidden", "x", "hidden"}}), RunnerOptions{})
	out, err := r.Run(map[string]*tensors.Tensor{"x": matrix(1, 2, 3, 4)})
	if err != nil {
		t.Fatal(err)
	}
	if got := asFloats(out["hidden"]); !slices.Equal(got, []float64{6, 8}) {
		t.Errorf("hidden = %v", got)
	}
	if got := asFloats(out["x"]); !slices.Equal(got, []float64{3, 4}) {
		t.Errorf("x passed through = %v", got)
	}
}

func TestRunnerErrors(t *testing.T) {
	r := runner(t, open(t, linearModel(t), Options{}), RunnerOptions{NoORT: true})
	for want, in := range map[string]map[string]*tensors.Tensor{
		`no input "z": allowed are x`: {"z": matrix(1, 2, 1, 2)},
		`input "x" must be a Float32`: {"x": tensors.FromFlatDataAndDimensions([]int64{1, 2}, 1, 2)},
		`rank 2, shape [2] given`:     {"x": tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2)},
		`do not multiply`:             {"x": matrix(1, 3, 1, 2, 3)},
		`input "x" is missing`:        {},
	} {
		if _, err := r.Run(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	c := opCase{name: "x", op: "Relu", in: []operand{rnd(2)}}
	path, _ := c.model(t)
	fixed := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true})
	if _, err := fixed.Run(nil); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("error %v, want one about a missing input", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.onnx"), Options{}); err == nil {
		t.Error("a missing file opens")
	}
}

// TestRunnerByValue crops to a size given as elements of an input, as SAM's
// decoder does.
func TestRunnerByValue(t *testing.T) {
	path := writeModel(t, modelProto(&protos.GraphProto{
		Node: []*protos.NodeProto{
			n("Cast", []string{"size"}, []string{"whole"}, at{"to": int(protos.TensorProto_INT64)}),
			n("Slice", []string{"x", "zero", "whole", "axis"}, []string{"y"}, nil),
		},
		Initializer: []*protos.TensorProto{
			{Name: "zero", DataType: int32(protos.TensorProto_INT64), Dims: []int64{1}, Int64Data: []int64{0}},
			{Name: "axis", DataType: int32(protos.TensorProto_INT64), Dims: []int64{1}, Int64Data: []int64{1}},
		},
		Input:  []*protos.ValueInfoProto{portProto("x", protos.TensorProto_FLOAT, "a", "b"), portProto("size", protos.TensorProto_FLOAT, "one")},
		Output: []*protos.ValueInfoProto{portProto("y", protos.TensorProto_FLOAT, "a", "c")},
	}))
	r := runner(t, open(t, path, Options{}), RunnerOptions{NoORT: true})
	for _, size := range []float32{2, 3, 2, 1} {
		out, err := r.Run(map[string]*tensors.Tensor{"x": matrix(1, 3, 7, 8, 9), "size": tensors.FromFlatDataAndDimensions([]float32{size}, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if got := out["y"].Shape().Dimensions; !slices.Equal(got, []int{1, int(size)}) {
			t.Errorf("size %g gives shape %v", size, got)
		}
	}
}

// TestRunnerWhole falls back to ONNX Runtime for an op that no rule covers,
// and says so once.
func TestRunnerWhole(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed")
	}
	c := opCase{name: "NonZero", op: "NonZero", in: []operand{floats(0, 1, 0, 2).input()}}
	path, inputs := c.model(t)
	var warned []string
	r := runner(t, open(t, path, Options{}), RunnerOptions{Warn: func(s string) { warned = append(warned, s) }})
	for range 2 {
		out, err := r.Run(inputs)
		if err != nil {
			t.Fatal(err)
		}
		if got := asFloats(out["out0"]); !slices.Equal(got, []float64{1, 3}) {
			t.Errorf("NonZero = %v", got)
		}
	}
	if len(warned) != 0 || r.Whole() {
		t.Errorf("the value could be compiled in, yet: %v", warned)
	}
	c = opCase{name: "Atan", op: "Atan", in: []operand{rnd(3)}}
	path, inputs = c.model(t)
	r = runner(t, open(t, path, Options{}), RunnerOptions{Warn: func(s string) { warned = append(warned, s) }})
	if _, err := r.RunHere(inputs); err == nil || r.Whole() {
		t.Errorf("asked not to run elsewhere: %v, whole %t", err, r.Whole())
	}
	for range 2 {
		out, err := r.Run(inputs)
		if err != nil {
			t.Fatal(err)
		}
		x := asFloats(inputs["in0"])
		for i, y := range asFloats(out["out0"]) {
			if math.Abs(y-math.Atan(x[i])) > 1e-6 {
				t.Errorf("atan(%g) = %g", x[i], y)
			}
		}
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "ONNX Runtime") || !r.Whole() {
		t.Errorf("warnings %q: want one", warned)
	}
}

// TestRunnerWholeSums: what ONNX Runtime adds up at places that many share is right in
// every run, in sub-graphs too.
func TestRunnerWholeSums(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed")
	}
	const updates, places, width = 1 << 14, 4, 64
	index := make([]int64, updates)
	want := make([]float64, places*width)
	for i := range index {
		index[i] = int64(i % places)
		for j := range width {
			want[int(index[i])*width+j]++
		}
	}
	rows := tensorProto("rows", tensors.FromFlatDataAndDimensions(index, updates, 1))
	zeros := tensorProto("zeros", tensors.FromFlatDataAndDimensions(make([]float32, places*width), places, width))
	add := n("ScatterND", []string{"zeros", "rows", "x"}, []string{"sums"}, at{"reduction": "add"})
	branch := &protos.GraphProto{Name: "branch", Node: []*protos.NodeProto{add}, Output: []*protos.ValueInfoProto{fixedPort("sums", protos.TensorProto_FLOAT, places, width)}}
	inside := n("If", []string{"yes"}, []string{"sums"}, at{"then_branch": branch, "else_branch": branch})
	for name, scatter := range map[string]*protos.NodeProto{"graph": add, "branch": inside} {
		t.Run(name, func(t *testing.T) {
			path := writeModel(t, modelProto(&protos.GraphProto{
				Node:        []*protos.NodeProto{scatter, n("Atan", []string{"y"}, []string{"z"}, nil)},
				Initializer: []*protos.TensorProto{rows, zeros},
				Input:       []*protos.ValueInfoProto{fixedPort("x", protos.TensorProto_FLOAT, updates, width), fixedPort("y", protos.TensorProto_FLOAT, 1), fixedPort("yes", protos.TensorProto_BOOL, 1)},
				Output:      []*protos.ValueInfoProto{fixedPort("sums", protos.TensorProto_FLOAT, places, width), fixedPort("z", protos.TensorProto_FLOAT, 1)},
			}))
			r := runner(t, open(t, path, Options{}), RunnerOptions{})
			inputs := map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{1}, updates*width), updates, width),
				"y": tensors.FromFlatDataAndDimensions([]float32{1}, 1), "yes": tensors.FromFlatDataAndDimensions([]bool{true}, 1)}
			for run := range 5 {
				out, err := r.Run(inputs)
				if err != nil {
					t.Fatal(err)
				}
				if got := asFloats(out["sums"]); !slices.Equal(got, want) || !r.Whole() {
					t.Fatalf("run %d: %v, want %v; whole %t", run, got[:width], want[:width], r.Whole())
				}
			}
		})
	}
}

// TestHalfAndExternal runs a model with float16 weights in a second file.
func TestHalfAndExternal(t *testing.T) {
	w := &protos.TensorProto{Name: "w", DataType: int32(protos.TensorProto_FLOAT16), Dims: []int64{2, 2}, DataLocation: protos.TensorProto_EXTERNAL,
		ExternalData: []*protos.StringStringEntryProto{{Key: "location", Value: "weights.bin"}, {Key: "length", Value: "8"}}}
	path := writeModel(t, modelProto(&protos.GraphProto{
		Node:        []*protos.NodeProto{n("MatMul", []string{"x", "w"}, []string{"y"}, nil)},
		Initializer: []*protos.TensorProto{w},
		Input:       []*protos.ValueInfoProto{portProto("x", protos.TensorProto_FLOAT16, "a", "b")},
		Output:      []*protos.ValueInfoProto{fixedPort("y", protos.TensorProto_FLOAT16, 1, 2)},
	}))
	halves := []byte{0x00, 0x3c, 0x00, 0x40, 0x00, 0x42, 0x00, 0x44} // 1, 2, 3, 4
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "weights.bin"), halves, 0o666); err != nil {
		t.Fatal(err)
	}
	m := open(t, path, Options{})
	in := map[string]*tensors.Tensor{"x": matrix(1, 2, 10, 1)}
	out, err := runner(t, m, RunnerOptions{}).Run(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := asFloats(out["y"]); !slices.Equal(got, []float64{13, 24}) {
		t.Errorf("y = %v", got)
	}
	if backend.FindORT() != "" {
		if got := fromORT(t, path, in, []string{"y"})[0].Values; !slices.Equal(got, []number{13, 24}) {
			t.Errorf("ONNX Runtime: y = %v", got)
		}
	}
}

// TestGraphTrains takes a gradient step through an imported model: floats
// move, integers are not variables that train.
func TestGraphTrains(t *testing.T) {
	path := writeModel(t, modelProto(&protos.GraphProto{
		Node: []*protos.NodeProto{
			n("Gather", []string{"table", "index"}, []string{"rows"}, at{"axis": 0}),
			n("MatMul", []string{"x", "rows"}, []string{"xw"}, nil),
			n("Add", []string{"xw", "bias"}, []string{"y"}, nil),
		},
		Initializer: []*protos.TensorProto{
			initOf("table", protos.TensorProto_FLOAT, []float32{1, 2, 3, 4, 5, 6}, 3, 2),
			initOf("bias", protos.TensorProto_FLOAT, []float32{0, 0}, 2),
			{Name: "index", DataType: int32(protos.TensorProto_INT64), Dims: []int64{2}, Int64Data: []int64{2, 0}},
		},
		Input:  []*protos.ValueInfoProto{portProto("x", protos.TensorProto_FLOAT, "a", "b")},
		Output: []*protos.ValueInfoProto{portProto("y", protos.TensorProto_FLOAT, "a", "b")},
	}))
	m := open(t, path, Options{})
	b := backendtest.One(t)
	store := model.NewStore()
	step, err := model.NewExec(b, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		y := m.Graph(scope.At("clip"), map[string]*graph.Node{"x": x}, nil)[0]
		loss := graph.ReduceAllSum(graph.Square(y))
		var vars []*model.Variable
		var values []*graph.Node
		for v := range store.IterVariables() {
			if v.Trainable {
				vars, values = append(vars, v), append(values, v.NodeValue(x.Graph()))
			}
		}
		for i, g := range graph.Gradient(loss, values...) {
			vars[i].SetNodeValue(graph.Sub(values[i], graph.MulScalar(g, 0.005)))
		}
		return loss
	})
	if err != nil {
		t.Fatal(err)
	}
	var losses []float64
	for range 30 {
		out, err := step.Exec(matrix(1, 2, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, float64(tensors.ToScalar[float32](out[0])))
	}
	if first, last := losses[0], losses[len(losses)-1]; first != 7*7+10*10 || last > first/20 {
		t.Errorf("loss from %g to %g", first, last)
	}
	if v := store.RootScope().At("clip").GetVariable("table"); v == nil || !v.Trainable {
		t.Error("variable table is missing or does not train")
	}
	if table := asFloats(store.RootScope().At("clip").GetVariable("table").MustValue()); table[2] != 3 || table[0] == 1 {
		t.Errorf("table %v: rows 0 and 2 move, row 1 is not used", table)
	}
}
