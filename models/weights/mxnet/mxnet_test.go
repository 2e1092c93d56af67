package mxnet

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/weights"
)

var _ weights.Source = (*Reader)(nil)

func read(t testing.TB, name string) []byte {
	raw, err := os.ReadFile(filepath.Join("testdata", name+".params"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRead: both layouts, one written by MXNet and one read by it
// (testdata/gen.py), hold the same arrays.
func TestRead(t *testing.T) {
	for _, name := range []string{"today", "old"} {
		r, err := Open(filepath.Join("testdata", name+".params"))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got := r.Names(); !slices.Equal(got, []string{"arg:conv1a_weight", "arg:half", "aux:bn7_moving_var"}) {
			t.Fatalf("%s: %v", name, got)
		}
		if s, err := r.Shape("arg:conv1a_weight"); err != nil || !slices.Equal(s, []int{2, 3, 3, 3}) {
			t.Errorf("%s: shape %v, %v", name, s, err)
		}
		w, err := r.Tensor("arg:conv1a_weight")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range tensors.MustCopyFlatData[float32](w) {
			if v != float32(i)/4 {
				t.Fatalf("%s: value %d is %v", name, i, v)
			}
		}
		h, err := r.Tensor("arg:half")
		if err != nil || h.DType() != dtypes.Float16 {
			t.Fatal(h, err)
		}
		if h, err = weights.Float32(h); err != nil || !reflect.DeepEqual(tensors.MustCopyFlatData[float32](h), []float32{1, -2, 0.5, 4}) {
			t.Errorf("%s: %v, %v", name, h, err)
		}
		if _, err := r.Tensor("fc"); err == nil || !strings.Contains(err.Error(), name+`.params: no array "fc"; it has 3`) {
			t.Errorf("an absent array: %v", err)
		}
	}
}

func TestRefuses(t *testing.T) {
	good := read(t, "today")
	change := func(at int, v uint32) []byte {
		raw := slices.Clone(good)
		binary.LittleEndian.PutUint32(raw[at:], v)
		return raw
	}
	for want, raw := range map[string][]byte{
		"does not begin":      []byte("12345678901234567890"),
		"ends at byte 30":     good[:30],
		"ends at byte 460":    good[:460],
		"sparse storage":      change(28, 1),
		"4294967295 dimen":    change(32, 1<<32-1),
		"a dimension of 2147": change(36, 1<<31-1),
		"values of kind 77":   change(76, 77),
		"at most 65536":       change(16, 1<<30),
	} {
		if _, err := NewReader(bytes.NewReader(raw), int64(len(raw))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(read(f, "today"))
	f.Add(read(f, "old"))
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
			if x, err := r.Tensor(name); err != nil || !slices.Equal(x.Shape().Dimensions, shape) {
				t.Fatalf("%s: %v, %v", name, x, err)
			}
		}
	})
}
