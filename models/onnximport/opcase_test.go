package onnximport

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"

	"wsss/checkpoints/files"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/ortref"
)

var update = flag.Bool("update", false, "rewrite testdata/ops.json from ONNX Runtime")

// operand is an input of the op under test: a graph input of random floats, a
// graph input of given numbers, or an initializer. The zero operand is absent.
type operand struct {
	dims   []int
	floats []float32
	ints   []int64
	bools  []bool
	bytes  []uint8
	fixed  bool // an initializer
	absent bool
	lo, hi float64 // range of random floats
}

func rnd(dims ...int) operand { return operand{dims: dims, lo: -2, hi: 2} }
func uni(lo, hi float64, dims ...int) operand {
	return operand{dims: dims, lo: lo, hi: hi}
}
func weight(dims ...int) operand { return operand{dims: dims, lo: -1, hi: 1, fixed: true} }
func ints(v ...int64) operand    { return operand{dims: []int{len(v)}, ints: v, fixed: true} }
func floats(v ...float32) operand {
	return operand{dims: []int{len(v)}, floats: v, fixed: true}
}
func bytesOf(v ...uint8) operand {
	return operand{dims: []int{len(v)}, bytes: v, fixed: true}
}
func none() operand { return operand{absent: true} }

func (o operand) shaped(dims ...int) operand { o.dims = append([]int{}, dims...); return o }
func (o operand) input() operand             { o.fixed = false; return o }

// opCase is a model of one op.
type opCase struct {
	name   string
	op     string
	in     []operand
	attrs  map[string]any
	outs   int // 0 means 1
	opset  int // 0 means 16
	domain string
	tol    float64 // 0 means 1e-5
}

func (c opCase) rand() *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(c.name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

func (o operand) tensor(r *rand.Rand) *tensors.Tensor {
	switch {
	case o.ints != nil:
		return tensors.FromFlatDataAndDimensions(o.ints, o.dims...)
	case o.bytes != nil:
		return tensors.FromFlatDataAndDimensions(o.bytes, o.dims...)
	case o.bools != nil:
		return tensors.FromFlatDataAndDimensions(o.bools, o.dims...)
	case o.floats != nil:
		return tensors.FromFlatDataAndDimensions(o.floats, o.dims...)
	}
	n := 1
	for _, d := range o.dims {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(o.lo + (o.hi-o.lo)*r.Float64())
	}
	return tensors.FromFlatDataAndDimensions(data, o.dims...)
}

// model writes the case as a file and returns its inputs.
func (c opCase) model(t *testing.T) (string, map[string]*tensors.Tensor) {
	t.Helper()
	opset, outs := c.opset, max(1, c.outs)
	if opset == 0 {
		opset = 16
	}
	g := &protos.GraphProto{Name: c.name}
	n := &protos.NodeProto{OpType: c.op, Name: "under test", Domain: c.domain}
	inputs := map[string]*tensors.Tensor{}
	r := c.rand()
	for i, o := range c.in {
		name := fmt.Sprintf("in%d", i)
		if o.absent {
			n.Input = append(n.Input, "")
			continue
		}
		n.Input = append(n.Input, name)
		value := o.tensor(r)
		if o.fixed {
			g.Initializer = append(g.Initializer, tensorProto(name, value))
			continue
		}
		inputs[name] = value
		g.Input = append(g.Input, openPort(name, value))
	}
	for i := range outs {
		name := fmt.Sprintf("out%d", i)
		n.Output = append(n.Output, name)
		g.Output = append(g.Output, &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{ElemType: int32(c.outType(i))}}}})
	}
	for _, name := range slices.Sorted(maps.Keys(c.attrs)) {
		n.Attribute = append(n.Attribute, attrProto(name, c.attrs[name]))
	}
	g.Node = []*protos.NodeProto{n}
	m := &protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: int64(opset)}}}
	if c.domain != "" {
		m.OpsetImport = append(m.OpsetImport, &protos.OperatorSetIdProto{Domain: c.domain, Version: 1})
	}
	return writeModel(t, m), inputs
}

// outType is the element type of an output, which ONNX Runtime wants declared.
func (c opCase) outType(i int) protos.TensorProto_DataType {
	switch {
	case c.op == "QuantizeLinear":
		return protos.TensorProto_UINT8
	case c.op == "MatMulInteger", c.op == "ConvInteger":
		return protos.TensorProto_INT32
	case c.op == "Cast":
		return protos.TensorProto_DataType(c.attrs["to"].(int))
	case slices.Contains([]string{"ArgMax", "ArgMin", "Shape", "Size", "NonZero", "NonMaxSuppression"}, c.op), c.op == "TopK" && i == 1:
		return protos.TensorProto_INT64
	case slices.Contains([]string{"IsNaN", "IsInf", "Equal", "Not", "Greater", "Less", "And"}, c.op):
		return protos.TensorProto_BOOL
	case len(c.in) > 0 && c.in[0].ints != nil && c.op != "OneHot":
		return protos.TensorProto_INT64
	case len(c.in) > 0 && c.in[0].bools != nil && c.op != "Where":
		return protos.TensorProto_BOOL
	case c.op == "Constant" && c.attrs["value_ints"] != nil:
		return protos.TensorProto_INT64
	}
	return protos.TensorProto_FLOAT
}

func writeModel(t testing.TB, m *protos.ModelProto) string {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// openPort declares an input of unknown dimensions, as exports with dynamic
// axes do.
func openPort(name string, t *tensors.Tensor) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{}
	for i := range t.Rank() {
		shape.Dim = append(shape.Dim, &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimParam{DimParam: fmt.Sprintf("%s_%d", name, i)}})
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
		TensorType: &protos.TypeProto_Tensor{ElemType: int32(protoType(t)), Shape: shape}}}}
}

func protoType(t *tensors.Tensor) protos.TensorProto_DataType {
	for p, d := range dtypeOf {
		if d == t.DType() {
			return p
		}
	}
	panic("no such type")
}

func tensorProto(name string, t *tensors.Tensor) *protos.TensorProto {
	p := &protos.TensorProto{Name: name, DataType: int32(protoType(t))}
	for _, d := range t.Shape().Dimensions {
		p.Dims = append(p.Dims, int64(d))
	}
	_ = t.ConstBytes(func(data []byte) { p.RawData = slices.Clone(data) })
	return p
}

func attrProto(name string, v any) *protos.AttributeProto {
	a := &protos.AttributeProto{Name: name}
	switch v := v.(type) {
	case int:
		a.Type, a.I = protos.AttributeProto_INT, int64(v)
	case float32:
		a.Type, a.F = protos.AttributeProto_FLOAT, v
	case string:
		a.Type, a.S = protos.AttributeProto_STRING, []byte(v)
	case []int64:
		a.Type, a.Ints = protos.AttributeProto_INTS, v
	case []float32:
		a.Type, a.Floats = protos.AttributeProto_FLOATS, v
	case *protos.TensorProto:
		a.Type, a.T = protos.AttributeProto_TENSOR, v
	case *protos.GraphProto:
		a.Type, a.G = protos.AttributeProto_GRAPH, v
	default:
		panic(fmt.Sprintf("attribute of type %T", v))
	}
	return a
}

// sample is what testdata keeps of an output: its shape and up to 48 elements.
type sample struct {
	Dims   []int
	Values []number
}

// number is a float that JSON can hold even where it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(fmt.Sprint(f))
	}
	return json.Marshal(float32(n))
}

func (n *number) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		_, err := fmt.Sscan(s, (*float64)(n))
		return err
	}
	return json.Unmarshal(b, (*float64)(n))
}

func sampleOf(t *tensors.Tensor) sample {
	all := asFloats(t)
	s := sample{Dims: append([]int{}, t.Shape().Dimensions...)}
	step := max(1, (len(all)+47)/48)
	for i := 0; i < len(all); i += step {
		s.Values = append(s.Values, number(all[i]))
	}
	return s
}

func asFloats(t *tensors.Tensor) []float64 {
	c, err := constOf(t)
	if err != nil {
		panic(err)
	}
	if c.Floats != nil {
		return c.Floats
	}
	return convert[float64](c.Ints)
}

// close enough: |a − b| ≤ tol·max(1, |b|), infinities and NaN alike.
func near(a, b, tol float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= tol*max(1, math.Abs(b))
}

func compare(got, want sample, tol float64) error {
	if !slices.Equal(got.Dims, want.Dims) {
		return fmt.Errorf("shape %v, want %v", got.Dims, want.Dims)
	}
	for i := range want.Values {
		if !near(float64(got.Values[i]), float64(want.Values[i]), tol) {
			return fmt.Errorf("sample %d is %v, want %v (of %v)", i, got.Values[i], want.Values[i], want.Dims)
		}
	}
	return nil
}

// engines are the backends that the tests run on here.
func engines(t testing.TB) map[string]compute.Backend {
	t.Helper()
	return backendtest.All(t, backendtest.Names(t))
}

// fixture is the stored expectation of a table of cases.
type fixture map[string][]sample

func readFixture(t *testing.T, path string) fixture {
	t.Helper()
	f := fixture{}
	data, err := os.ReadFile(path)
	if err != nil {
		if *update {
			return f
		}
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f fixture) write(t *testing.T, path string) {
	t.Helper()
	if err := files.WriteJSON(path, f); err != nil {
		t.Fatal(err)
	}
}

// reference runs a file through ONNX Runtime.
func reference(t *testing.T, path string, inputs map[string]*tensors.Tensor) map[string]*tensors.Tensor {
	t.Helper()
	s, err := ortref.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fromORT is what ONNX Runtime gives for a file.
func fromORT(t *testing.T, path string, inputs map[string]*tensors.Tensor, outs []string) []sample {
	t.Helper()
	return samplesOf(reference(t, path, inputs), outs)
}

func samplesOf(res map[string]*tensors.Tensor, outs []string) []sample {
	all := make([]sample, len(outs))
	for i, name := range outs {
		all[i] = sampleOf(res[name])
	}
	return all
}

func outNames(n int) []string {
	names := make([]string, max(1, n))
	for i := range names {
		names[i] = fmt.Sprintf("out%d", i)
	}
	return names
}
