package onnximport

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
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
	checkExports(t, paths, stored)
	if *update {
		stored.write(t, "testdata/exports.json")
	}
}

// TestExporters: what both of PyTorch's exporters write of the same networks is
// imported.
func TestExporters(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("exports by the newer exporter take minutes: set WSSS_VERIFY=1")
	}
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	python := datatest.Torch(t)
	for _, dynamo := range []string{"0", "1"} {
		t.Run("dynamo="+dynamo, func(t *testing.T) {
			dir := t.TempDir()
			if kept := os.Getenv("WSSS_VERIFY_KEEP"); kept != "" {
				dir = filepath.Join(kept, "dynamo"+dynamo)
			}
			paths, _ := filepath.Glob(filepath.Join(dir, "*.onnx"))
			if len(paths) == 0 {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				run := exec.Command(python, "-W", "ignore", "testdata/gen_exports.py", dir)
				run.Env = append(os.Environ(), "WSSS_DYNAMO="+dynamo)
				if out, err := run.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				paths, _ = filepath.Glob(filepath.Join(dir, "*.onnx"))
			}
			if len(paths) < 6 {
				t.Fatalf("%d exports", len(paths))
			}
			checkExports(t, paths, fixture{})
		})
	}
}

// checkExports compares networks on every engine with ONNX Runtime, or where it
// is missing with what it gave; it notes what it gives.
func checkExports(t *testing.T, paths []string, stored fixture) {
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
}
