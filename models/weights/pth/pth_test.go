package pth

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/models/weights"
)

var _ weights.Source = (*Reader)(nil)

func TestRead(t *testing.T) {
	want := map[string]struct {
		shape  []int
		values []float32
	}{
		"plain":      {[]int{2, 3}, []float32{0, 1, 2, 3, 4, 5}},
		"transposed": {[]int{3, 2}, []float32{0, 3, 1, 4, 2, 5}},
		"strided":    {[]int{2, 3}, []float32{6, 8, 10, 12, 14, 16}},
		"shared":     {[]int{6}, []float32{0, 1, 2, 3, 4, 5}},
		"parameter":  {[]int{2}, []float32{0, 1}},
		"scalar":     {nil, []float32{7}},
		"empty":      {[]int{0, 3}, nil},
	}
	for _, name := range strings.Fields("float64 float16 bfloat16 int64 int32 int16 int8 uint8") {
		want[name] = struct {
			shape  []int
			values []float32
		}{[]int{4}, []float32{0, 1, 2, 3}}
	}
	for _, file := range []string{"zip", "legacy", "deflated"} {
		t.Run(file, func(t *testing.T) {
			r, err := Open("testdata/" + file + ".pth")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if names := r.Names(); len(names) != len(want)+2 || !slices.Contains(names, "optimizer.state.0.momentum_buffer") {
				t.Errorf("names %v", names)
			}
			for name, w := range want {
				name = "state_dict." + name
				shape, err := r.Shape(name)
				if err != nil || !slices.Equal(shape, w.shape) {
					t.Errorf("%s has shape %v (%v), want %v", name, shape, err, w.shape)
				}
				x, err := r.Tensor(name)
				if err != nil {
					t.Error(err)
					continue
				}
				x, err = weights.Float32(x)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if got := tensors.MustCopyFlatData[float32](x); !slices.Equal(got, w.values) {
					t.Errorf("%s is %v, want %v", name, got, w.values)
				}
			}
			if x, err := r.Tensor("state_dict.bool"); err != nil || !slices.Equal(tensors.MustCopyFlatData[bool](x), []bool{true, false}) {
				t.Errorf("bool is %v (%v)", x, err)
			}
			if _, err := r.Tensor("fc.weight"); err == nil || !strings.Contains(err.Error(), file+".pth") {
				t.Errorf("error %v does not name the file", err)
			}
		})
	}
}

// TestPlace: the bytes at a tensor's place are its values; those that do not
// stand in a row have none.
func TestPlace(t *testing.T) {
	for _, file := range []string{"zip", "legacy", "deflated"} {
		path := "testdata/" + file + ".pth"
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		found := 0
		for _, name := range r.Names() {
			p, ok, err := r.Place(name)
			if err != nil {
				t.Fatal(err)
			}
			if want := file != "deflated" && !strings.Contains(name, "transposed") && !strings.Contains(name, "strided"); ok != want {
				t.Errorf("%s: %s has a place: %t, want %t", file, name, ok, want)
			}
			if !ok {
				continue
			}
			found++
			x, err := r.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			err = x.ConstBytes(func(data []byte) {
				if !bytes.Equal(data, raw[p.Offset:p.Offset+p.Bytes]) || p.DType != x.DType() || !slices.Equal(p.Shape, x.Shape().Dimensions) {
					t.Errorf("%s: %s is not at %+v", file, name, p)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if file != "deflated" && found < 10 {
			t.Errorf("%s: places of %d tensors", file, found)
		}
		if _, _, err := r.Place("none"); err == nil {
			t.Error("a place of no tensor")
		}
	}
}

// TestReadScript: the weights and buffers of a TorchScript archive have the names of its
// modules.
func TestReadScript(t *testing.T) {
	r, err := Open("testdata/script.pt")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := map[string][]float32{"scale": {7}, "visual.0.mean": {0, 1}, "visual.0.weight": {0, 1, 2, 3, 4, 5}}
	if names := r.Names(); !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		t.Errorf("names %v", names)
	}
	for name, values := range want {
		x, err := r.Tensor(name)
		if err == nil {
			x, err = weights.Float32(x)
		}
		if err != nil || !slices.Equal(tensors.MustCopyFlatData[float32](x), values) {
			t.Errorf("%s is %v (%v), want %v", name, x, err, values)
		}
	}
}

// TestReadArrays: pickles of NumPy arrays, of every protocol and of NumPy before 2.
func TestReadArrays(t *testing.T) {
	for _, file := range []string{"arrays2", "arrays4", "arrays5", "arrays_old"} {
		r, err := Open("testdata/" + file + ".pkl")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if names := r.Names(); len(names) != 14 {
			t.Errorf("%s: names %v", file, names)
		}
		for name, shape := range map[string][]int{
			"plain": {2, 3}, "fortran": {2, 3}, "long": {64, 32}, "long_fortran": {64, 32}, "scalar": nil, "empty": {0, 3},
			"float64": {4}, "float16": {4}, "int64": {4}, "int32": {4}, "int16": {4}, "int8": {4}, "uint8": {4},
		} {
			x, err := r.Tensor("model." + name)
			if err == nil {
				x, err = weights.Float32(x)
			}
			if err != nil || !slices.Equal(x.Shape().Dimensions, shape) {
				t.Errorf("%s: %s is %v (%v), want %v", file, name, x, err, shape)
				continue
			}
			for i, v := range tensors.MustCopyFlatData[float32](x) {
				want := float32(i)
				if name == "scalar" {
					want = 7
				}
				if v != want {
					t.Fatalf("%s: value %d of %s is %g", file, i, name, v)
				}
			}
			p, ok, err := r.Place("model." + name)
			// Short arrays are copied; Fortran's order does not stand in a row.
			if want := name == "long" && file != "arrays2" && file != "arrays_old"; err != nil || ok != want || ok && p.Bytes != 64*32*4 {
				t.Errorf("%s: %s has a place: %t (%v), want %t", file, name, ok, err, want)
			}
		}
		if x, err := r.Tensor("model.bool"); err != nil || !slices.Equal(tensors.MustCopyFlatData[bool](x), []bool{true, false}) {
			t.Errorf("%s: bool is %v (%v)", file, x, err)
		}
	}
	r, err := Open("testdata/arrays_evil.pkl")
	if err != nil || !slices.Equal(r.Names(), []string{"weight"}) {
		t.Fatalf("names %v (%v), want the weight alone", r.Names(), err)
	}
	r.Close()
	if _, err := os.Stat("/tmp/wsss-evil-pth"); err == nil {
		t.Error("the command ran")
	}
	whole := readFile(t, "arrays4.pkl")
	for name, c := range map[string]struct {
		fault string
		raw   []byte
	}{
		"big-endian":        {`type ">f4"`, readFile(t, "arrays_big.pkl")},
		"cut off":           {"cut off", whole[:len(whole)/2]},
		"of another size":   {"pickle has a NumPy array [64 33]", bytes.Replace(whole, []byte("K\x40K\x20\x86"), []byte("K\x40K\x21\x86"), 1)},
		"of another type":   {`type "f7"`, bytes.Replace(whole, []byte("\x8c\x02f4"), []byte("\x8c\x02f7"), 1)},
		"a number":          {"no named tensors", []byte("\x80\x04K\x01.")},
		"text made many":    {"too often", []byte("\x80\x02](c_codecs\nencode\nq\x01X\x64\x00\x00\x00" + strings.Repeat("a", 100) + "X\x06\x00\x00\x00latin1\x86q\x02R" + strings.Repeat("h\x01h\x02R", 99) + "e.")},
		"an unknown opcode": {"opcode", []byte("\x80\x04\x97.")},
	} {
		if _, err := NewReader(bytes.NewReader(c.raw), int64(len(c.raw))); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: error %v, want %q", name, err, c.fault)
		}
	}
}

// A real checkpoint of the older format.
func TestReadReal(t *testing.T) {
	r, err := Open(datatest.Path(t, "weights", "espnetv2_s_0.5_pascal_256x256.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.Names()) != 526 {
		t.Errorf("%d tensors, want 526", len(r.Names()))
	}
	sum := 0.0
	for _, name := range r.Names() {
		x, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if x, err = weights.Float32(x); err != nil {
			t.Fatal(err)
		}
		for _, v := range tensors.MustCopyFlatData[float32](x) {
			sum += float64(v)
		}
	}
	if got := fmt.Sprintf("%.4g", sum); got != realSum {
		t.Errorf("the values sum to %s, want %s", got, realSum)
	}
}

// realSum is PyTorch's sum over all tensors of the real checkpoint.
const realSum = "6.102e+07"

// TestNothingRuns reads a pickle that would run a shell command in Python.
func TestNothingRuns(t *testing.T) {
	r, err := Open("testdata/evil.pth")
	if err != nil || !slices.Equal(r.Names(), []string{"weight"}) {
		t.Errorf("names %v (%v), want the weight alone", r.Names(), err)
	}
	if _, err := os.Stat("/tmp/wsss-evil-pth"); err == nil {
		t.Error("the command ran")
	}
}

func TestOpenFaults(t *testing.T) {
	zip, legacy := read(t, "zip"), read(t, "legacy")
	for name, c := range map[string]struct {
		fault string
		raw   []byte
	}{
		"text":           {"not a PyTorch checkpoint", []byte("hello")},
		"nothing":        {"not a PyTorch checkpoint", nil},
		"no tensors":     {"no named tensors but a dictionary", read(t, "empty")},
		"a module":       {"class torch.nn.modules.activation.ReLU", read(t, "module")},
		"cut zip":        {"zip", zip[:len(zip)-30]},
		"cut legacy":     {"cut off", legacy[:len(legacy)-4]},
		"cut in pickles": {"cut off", legacy[:200]},
		"outside":        {"refers to something", bytes.Replace(legacy, []byte("storage"), []byte("process"), 1)},
		"type":           {"values of type torch.QuietStorage", bytes.Replace(legacy, []byte("FloatStorage"), []byte("QuietStorage"), 1)},
	} {
		path := filepath.Join(t.TempDir(), "x.pth")
		if err := os.WriteFile(path, c.raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "x.pth") {
			t.Errorf("%s: error %v, want the file and %q", name, err, c.fault)
		}
	}
}

func read(t testing.TB, name string) []byte { return readFile(t, name+".pth") }

func readFile(t testing.TB, name string) []byte {
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func FuzzReader(f *testing.F) {
	for _, name := range []string{"zip", "legacy", "deflated", "evil", "module"} {
		f.Add(read(f, name))
	}
	for _, name := range []string{"arrays2", "arrays4", "arrays5", "arrays_evil"} {
		f.Add(readFile(f, name+".pkl"))
	}
	f.Add(readFile(f, "script.pt"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		for _, name := range r.Names() {
			shape, err := r.Shape(name)
			if err != nil {
				t.Fatal(err)
			}
			if x, err := r.Tensor(name); err == nil && !slices.Equal(x.Shape().Dimensions, shape) && len(shape) > 0 {
				t.Fatalf("%s has shape %v, then %v", name, shape, x.Shape())
			}
		}
	})
}
