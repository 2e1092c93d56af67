package onnxfile

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes/float16"
	"google.golang.org/protobuf/proto"

	"wsss/data/datatest"
)

// modelOf makes a model of initializers and one node.
func modelOf(inits ...*protos.TensorProto) *protos.ModelProto {
	return &protos.ModelProto{IrVersion: 8, DocString: strings.Repeat("doc", 1000), Graph: &protos.GraphProto{
		Name:        "g",
		Node:        []*protos.NodeProto{{OpType: "Identity", Input: []string{"x"}, Output: []string{"y"}, DocString: "long"}},
		Input:       []*protos.ValueInfoProto{{Name: "x"}},
		Output:      []*protos.ValueInfoProto{{Name: "y"}},
		Initializer: inits,
	}}
}

func write(t testing.TB, m *protos.ModelProto) string {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func float32s(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i%100)/2 - 3 // few bits: exact in half precision
	}
	return v
}

func halves(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, float16.FromFloat32(x).Bits())
	}
	return b
}

func brains(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(x)>>16))
	}
	return b
}

func external(name string, kind protos.TensorProto_DataType, n int64, location, offset, length string) *protos.TensorProto {
	t := &protos.TensorProto{Name: name, DataType: int32(kind), Dims: []int64{n}, DataLocation: protos.TensorProto_EXTERNAL,
		ExternalData: []*protos.StringStringEntryProto{{Key: "location", Value: location}}}
	if offset != "" {
		t.ExternalData = append(t.ExternalData, &protos.StringStringEntryProto{Key: "offset", Value: offset})
	}
	if length != "" {
		t.ExternalData = append(t.ExternalData, &protos.StringStringEntryProto{Key: "length", Value: length})
	}
	return t
}

// TestTensorForms reads the same numbers in every form that a file can hold
// them in, long ones from disk.
func TestTensorForms(t *testing.T) {
	const n = 1500 // beyond what stays in memory
	want := ramp(n)
	f32, f16, bf16 := protos.TensorProto_FLOAT, protos.TensorProto_FLOAT16, protos.TensorProto_BFLOAT16
	var bits []int32
	for i := range n {
		bits = append(bits, int32(float16.FromFloat32(want[i]).Bits()))
	}
	path := write(t, modelOf(
		&protos.TensorProto{Name: "raw", DataType: int32(f32), Dims: []int64{n}, RawData: float32s(want)},
		&protos.TensorProto{Name: "short raw", DataType: int32(f32), Dims: []int64{4}, RawData: float32s(want[:4])},
		&protos.TensorProto{Name: "typed", DataType: int32(f32), Dims: []int64{30, 50}, FloatData: want},
		&protos.TensorProto{Name: "half", DataType: int32(f16), Dims: []int64{n}, RawData: halves(want)},
		&protos.TensorProto{Name: "half in ints", DataType: int32(f16), Dims: []int64{n}, Int32Data: bits},
		&protos.TensorProto{Name: "brain", DataType: int32(bf16), Dims: []int64{n}, RawData: brains(want)},
		external("external", f32, n-2, "w.bin", "8", ""),
		external("external half", f16, 3, "h.bin", "", "6"),
		&protos.TensorProto{Name: "empty", DataType: int32(f32), Dims: []int64{0, 3}},
	))
	for name, data := range map[string][]byte{"w.bin": float32s(want), "h.bin": halves(want[:3])} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Proto.DocString != "" || f.Proto.Graph.Node[0].DocString != "" {
		t.Error("documentation is held in memory")
	}
	parts := map[string][]float32{"short raw": want[:4], "external": want[2:], "external half": want[:3], "empty": {}}
	for _, p := range f.Proto.Graph.Initializer {
		t.Run(p.Name, func(t *testing.T) {
			if len(p.RawData) > keepInline {
				t.Errorf("%d bytes of raw data are held in memory", len(p.RawData))
			}
			x, err := f.Tensor(p)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, x.Bytes())
			if err := x.ReadInto(got); err != nil {
				t.Fatal(err)
			}
			expect, ok := parts[p.Name]
			if !ok {
				expect = want
			}
			if !slices.Equal(got, float32s(expect)) {
				t.Errorf("the numbers differ")
			}
		})
	}
}

func TestTransposed(t *testing.T) {
	path := write(t, modelOf(&protos.TensorProto{Name: "w", DataType: 1, Dims: []int64{2, 3, 4}, FloatData: ramp(24)}))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := f.Tensor(f.Proto.Graph.Initializer[0])
	if err != nil {
		t.Fatal(err)
	}
	y := x.Reshaped([]int{6, 4}).Transposed([]int{1, 0}).Reshaped([]int{4, 2, 3}).Transposed([]int{2, 0, 1})
	if !slices.Equal(y.Dims, []int{3, 4, 2}) || x.Variant() != "" || y.Variant() == "" {
		t.Fatalf("dims %v, variants %q and %q", y.Dims, x.Variant(), y.Variant())
	}
	got := make([]byte, y.Bytes())
	if err := y.ReadInto(got); err != nil {
		t.Fatal(err)
	}
	src := ramp(24)
	var want []float32
	for k := range 3 {
		for c := range 4 {
			for j := range 2 {
				want = append(want, src[(3*j+k)*4+c])
			}
		}
	}
	if !slices.Equal(got, float32s(want)) {
		t.Error("the elements are in another order")
	}
}

func TestTensorErrors(t *testing.T) {
	f32 := protos.TensorProto_FLOAT
	for name, c := range map[string]struct {
		tensor *protos.TensorProto
		want   string
	}{
		"leaves the folder":  {external("w", f32, 1, "../secret", "", ""), "leaves its folder"},
		"absolute path":      {external("w", f32, 1, "/etc/passwd", "", ""), "leaves its folder"},
		"no such file":       {external("w", f32, 1, "nothing.bin", "", ""), "no such file"},
		"a folder":           {external("w", f32, 1, ".", "", ""), "a folder"},
		"beyond the end":     {external("w", f32, 9, "m.onnx", "100000", ""), "needs bytes"},
		"negative offset":    {external("w", f32, 1, "m.onnx", "-4", ""), "needs bytes"},
		"offset not numeric": {external("w", f32, 1, "m.onnx", "x", ""), "not a number"},
		"length too short":   {external("w", f32, 9, "m.onnx", "", "4"), "needs 36 bytes"},
		"huge":               {&protos.TensorProto{Name: "w", DataType: int32(f32), Dims: []int64{1 << 40, 1 << 40}}, "too large"},
		"huge, no data":      {&protos.TensorProto{Name: "w", DataType: int32(f32), Dims: []int64{1 << 40}}, "the file holds 0"},
		"negative":           {&protos.TensorProto{Name: "w", DataType: int32(f32), Dims: []int64{-1}}, "negative dimension"},
		"rank":               {&protos.TensorProto{Name: "w", DataType: int32(f32), Dims: make([]int64, 40)}, "rank 40"},
		"string":             {&protos.TensorProto{Name: "w", DataType: int32(protos.TensorProto_STRING), Dims: []int64{1}}, "not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(write(t, modelOf(c.tensor)))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Tensor(f.Proto.Graph.Initializer[0]); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestOpenDamaged(t *testing.T) {
	whole, err := proto.Marshal(modelOf(&protos.TensorProto{Name: "w", DataType: 1, Dims: []int64{1000}, RawData: float32s(ramp(1000))}))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":     {},
		"text":      []byte("this is no model"),
		"cut":       whole[:len(whole)-5],
		"cut early": whole[:40],
	} {
		path := filepath.Join(t.TempDir(), "m.onnx")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(path); err == nil {
			f.Close()
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error does not name the file: %v", name, err)
		}
	}
}

func TestHash(t *testing.T) {
	path := write(t, modelOf(external("w", protos.TensorProto_FLOAT, 1, "w.bin", "", "")))
	side := filepath.Join(filepath.Dir(path), "w.bin")
	hash := func(data string) string {
		datatest.Write(t, side, data)
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h, err := f.Hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if a, b := hash("aaaa"), hash("bbbb"); a == b || len(a) != 64 {
		t.Errorf("hashes %s and %s: the external data must count", a, b)
	}
}

func FuzzOpen(f *testing.F) {
	seed, err := proto.Marshal(modelOf(
		&protos.TensorProto{Name: "w", DataType: 1, Dims: []int64{3}, FloatData: ramp(3)},
		external("e", protos.TensorProto_FLOAT, 4, "m.onnx", "1", "16"),
	))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Add([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	path := filepath.Join(f.TempDir(), "m.onnx") // one per process: folders are slow to make
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		for _, p := range file.Proto.Graph.Initializer {
			x, err := file.Tensor(p)
			if err != nil {
				continue
			}
			if x.Bytes() > 8*len(data)+64 {
				t.Fatalf("a tensor of %d bytes in a file of %d", x.Bytes(), len(data))
			}
			if err := x.ReadInto(make([]byte, x.Bytes())); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestEnd: an output's values are followed back over what moves them alone.
func TestEnd(t *testing.T) {
	m := modelOf()
	node := func(op, out string, in ...string) *protos.NodeProto {
		return &protos.NodeProto{OpType: op, Input: in, Output: []string{out}}
	}
	m.Graph.Node = []*protos.NodeProto{
		node("Sigmoid", "s", "x"), node("Cast", "c", "s"), node("Concat", "a", "c", "c"), node("Resize", "r", "a"), node("Identity", "y", "x"), node("Constant", "k"),
	}
	for _, c := range []struct {
		output string
		others []string
		want   string
	}{{"c", nil, "Sigmoid"}, {"r", nil, "Concat"}, {"r", []string{"Concat"}, "Sigmoid"}, {"k", nil, "Constant"}, {"y", nil, ""}, {"none", nil, ""}} {
		if got := End(Makers(m.Graph), c.output, c.others...).GetOpType(); got != c.want {
			t.Errorf("%s over %q too: %q, want %q", c.output, c.others, got, c.want)
		}
	}
}
