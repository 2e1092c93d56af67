package onnximport

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/onnximport/ortref"
)

// readInputs reads what to run an exported network with; see gen_exports.py.
func readInputs(t testing.TB, path string) map[string]*tensors.Tensor {
	t.Helper()
	in, err := ortref.ReadInputs(path)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestExports runs networks that PyTorch exported, with the graph patterns of
// the real models, on every engine: results equal ONNX Runtime's to 1e-4.
func TestExports(t *testing.T) {
	paths, err := filepath.Glob("testdata/exports/*.onnx")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no exports: %v", err)
	}
	stored := readFixture(t, "testdata/exports.json")
	b := engines(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
			inputs := readInputs(t, strings.TrimSuffix(path, ".onnx")+".json")
			m, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			want := stored[name]
			if backend.FindORT() != "" {
				want = fromORT(t, path, inputs, m.OutputNames())
				stored[name] = want
			}
			for engine, b := range b {
				r, err := NewRunner(b, m, RunnerOptions{NoORT: true})
				if err != nil {
					t.Fatal(err)
				}
				res, err := r.Run(inputs)
				if err != nil {
					t.Errorf("%s: %v", engine, err)
					continue
				}
				for i, got := range samplesOf(res, m.OutputNames()) {
					if err := compare(got, want[i], 1e-4); err != nil {
						t.Errorf("%s: output %s: %v", engine, m.OutputNames()[i], err)
					}
				}
				r.Close()
			}
		})
	}
	if *update {
		stored.write(t, "testdata/exports.json")
	}
}
