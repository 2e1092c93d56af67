package npy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var written = []Entry{
	{Key: "keys", Shape: []int{2}, Ints: []int64{0, 14}},
	{Key: "high_res", Shape: []int{2, 1, 3}, Floats: []float32{0, 0.5, 1, -1, 0.25, 3}},
	{Key: "half", Shape: []int{2}, Floats: []float32{0.5, 65504}, Half: true},
	{Key: "none", Shape: []int{0, 1, 3}},
}

func TestWriteDict(t *testing.T) {
	var buf bytes.Buffer
	if err := WriteDict(&buf, written); err != nil {
		t.Fatal(err)
	}
	v, err := Parse(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	d, ok := v.(*Dict)
	if !ok {
		t.Fatalf("read %T", v)
	}
	for _, e := range written {
		a, ok := d.Get(e.Key).(*Array)
		if !ok || !slices.Equal(a.Shape, e.Shape) {
			t.Fatalf("%s: %+v", e.Key, d.Get(e.Key))
		}
		ints, _ := a.Int64()
		if e.Ints != nil && !slices.Equal(ints, e.Ints) || e.Ints == nil && !slices.Equal(a.Float32(), e.Floats) {
			t.Errorf("%s: values differ", e.Key)
		}
	}
	if err := WriteDict(&buf, []Entry{{Key: "x", Shape: []int{3}, Floats: []float32{1}}}); err == nil {
		t.Error("a wrong number of values was written")
	}
}

// TestNumPyReads has NumPy read what was written.
func TestNumPyReads(t *testing.T) {
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import numpy").Run() != nil {
		t.Skip("no NumPy in " + python)
	}
	var buf bytes.Buffer
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := WriteDict(&buf, written); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-W", "ignore", "-c", `import sys, numpy as np
d = np.load(sys.argv[1], allow_pickle=True).item()
print(d["keys"].tolist(), d["keys"].dtype, d["high_res"].tolist(), d["high_res"].dtype, d["half"].tolist(), d["half"].dtype, d["none"].shape)`, path).CombinedOutput()
	want := "[0, 14] int64 [[[0.0, 0.5, 1.0]], [[-1.0, 0.25, 3.0]]] float32 [0.5, 65504.0] float16 (0, 1, 3)"
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("NumPy reads %s (%v), want %s", out, err, want)
	}
}
