package safetensors

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

func sample() map[string]*tensors.Tensor {
	half := tensors.FromShape(shapes.Make(dtypes.Float16, 3))
	_ = half.MutableBytes(func(b []byte) { copy(b, []byte{0, 0x3c, 0, 0xc0, 0, 0x38}) }) // 1, -2, 0.5
	return map[string]*tensors.Tensor{
		"flag":   tensors.FromFlatDataAndDimensions([]bool{true, false, true}, 3),
		"bytes":  tensors.FromFlatDataAndDimensions([]uint8{1, 2, 255}, 3),
		"w":      tensors.FromFlatDataAndDimensions([]float32{1, -2, 3, 4, 5, 6}, 2, 3),
		"double": tensors.FromFlatDataAndDimensions([]float64{0.1}, 1),
		"state":  tensors.FromFlatDataAndDimensions([]uint64{1, 2, 1 << 63}, 3),
		"scalar": tensors.FromScalar(int32(-7)),
		"empty":  tensors.FromShape(shapes.Make(dtypes.Float32, 0, 4)),
		"half":   half,
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	meta := map[string]string{"step": "3", "a": "ü\"<"}
	if err := WriteFile(path, sample(), meta); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !reflect.DeepEqual(r.Metadata(), meta) {
		t.Fatalf("metadata %v", r.Metadata())
	}
	if len(r.Names()) != len(sample()) {
		t.Fatalf("names %v", r.Names())
	}
	for name, want := range sample() {
		got, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Shape().Equal(want.Shape()) {
			t.Fatalf("%s: shape %s, want %s", name, got.Shape(), want.Shape())
		}
		if want.Size() > 0 && !got.Equal(want) {
			t.Fatalf("%s: %v, want %v", name, got, want)
		}
	}
	var again bytes.Buffer
	if err := Write(&again, sample(), meta); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(path)
	if !bytes.Equal(first, again.Bytes()) {
		t.Fatal("the same content gave other bytes")
	}
}

// file builds a file from a header text and n data bytes.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

func TestRejects(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"short", []byte{1, 2}, "not a safetensors file"},
		{"header beyond the file", append(binary.LittleEndian.AppendUint64(nil, 100), '{', '}'), "truncated"},
		{"huge header", binary.LittleEndian.AppendUint64(nil, 1<<62), "truncated"},
		{"not an object", file(`[]`, 0), "not a JSON object"},
		{"tail after object", file(`{} {}`, 0), "after the JSON object"},
		{"unknown type", file(`{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}`, 1), `type "F8" is unknown`},
		{"wrong length", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "takes 8 bytes"},
		{"negative", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "out of range"},
		{"overflow", file(`{"a":{"dtype":"F64","shape":[2000000000,2000000000,2000000000],"data_offsets":[0,8]}}`, 8), "out of range"},
		{"no offsets", file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "data_offsets"},
		{"twice", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "occurs twice"},
		{"overlap", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), `tensor "b" lies at`},
		{"hole", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `tensor "a" lies at`},
		{"beyond the end", file(`{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}`, 3), `tensor "a" lies at`},
		{"tail", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 2), "the file holds 2"},
		{"metadata type", file(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewReader(bytes.NewReader(c.raw), int64(len(c.raw)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestBoolValues(t *testing.T) {
	raw := file(`{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, 1)
	raw[len(raw)-1] = 2
	r, err := NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Tensor("a"); err == nil || !strings.Contains(err.Error(), "BOOL value 2") {
		t.Fatalf("error %v", err)
	}
	if _, err := r.Tensor("b"); err == nil || !strings.Contains(err.Error(), `no tensor "b"`) {
		t.Fatalf("error %v", err)
	}
}

func FuzzReader(f *testing.F) {
	var buf bytes.Buffer
	if err := Write(&buf, sample(), map[string]string{"k": "v"}); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add(file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1))
	f.Add(file(`{}`, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		for _, name := range r.Names() {
			info, _ := r.Info(name)
			if info.Begin < 8 || info.End > int64(len(raw)) || info.End < info.Begin {
				t.Fatalf("%q accepted outside the file: %+v", name, info)
			}
			if tensor, err := r.Tensor(name); err == nil && info.End > info.Begin && int64(tensor.ByteSize()) != info.End-info.Begin {
				t.Fatalf("%q: %d bytes from %+v", name, tensor.ByteSize(), info)
			}
		}
	})
}
