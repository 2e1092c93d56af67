package onnximport

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/ortref"
)

// TestFullSize exports networks of the real size with random weights and runs
// them on every engine against ONNX Runtime: relative error ≤ 1e-3. It needs
// WSSS_VERIFY=1, ONNX Runtime and PyTorch. WSSS_VERIFY_KEEP names
// a folder where exports are kept and found again.
func TestFullSize(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("minutes and gigabytes: set WSSS_VERIFY=1")
	}
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	python := datatest.Torch(t)
	for _, c := range []struct{ script, name string }{
		{"gen_full.py", "sam_decoder"},
		{"gen_exports.py", "clip_text_full"},
		{"gen_exports.py", "clip_vit_b16_full"},
		{"gen_exports.py", "sam_vit_b_full"},
		{"gen_full.py", "gdino"},
	} {
		name := c.name
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if kept := os.Getenv("WSSS_VERIFY_KEEP"); kept != "" { // exports take minutes
				dir = kept
			}
			if _, err := os.Stat(filepath.Join(dir, name+".json")); err == nil {
				fullSize(t, filepath.Join(dir, name))
				return
			}
			out, err := exec.Command(python, "-W", "ignore", "testdata/"+c.script, dir, name).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			fullSize(t, filepath.Join(dir, name))
		})
	}
}

func fullSize(t *testing.T, base string) {
	inputs := readInputs(t, base+".json")
	reference, outputs := base+".onnx", []string(nil)
	pick := selectionIn(t, reference)
	if pick != nil {
		reference, outputs = pick.reference(t, reference)
	}
	ref, err := ortref.Open(reference)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ref.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := ref.Run(inputs); err != nil {
		t.Fatal(err)
	}
	t.Logf("ONNX Runtime: %.2f s", time.Since(start).Seconds())
	ref.Close()
	for _, spec := range backendtest.Names(t) {
		b, err := backend.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		got := onEngine(t, spec, b, base, outputs, readInputs(t, base+".json"))
		compareOutputs(t, spec, got, want, pick)
		b.Finalize()
		runtime.GC()
	}
}

func onEngine(t *testing.T, spec string, b compute.Backend, base string, outputs []string, inputs map[string]*tensors.Tensor) map[string]*tensors.Tensor {
	t.Helper()
	m, err := Open(base+".onnx", Options{Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := NewRunner(b, m, RunnerOptions{NoORT: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	start := time.Now()
	if _, err := r.Run(inputs); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	first := time.Since(start)
	start = time.Now()
	got, err := r.Run(inputs)
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	t.Logf("%s: %.2f s, the first run %.2f s", spec, time.Since(start).Seconds(), first.Seconds())
	return got
}

// compareOutputs wants a relative error of at most 1e-3, on all queries that
// start from the same place where the model picks some.
func compareOutputs(t *testing.T, spec string, got, want map[string]*tensors.Tensor, pick *selection) {
	t.Helper()
	same := pick.same(t, spec, got, want)
	for name, w := range want {
		if pick.has(name) {
			continue
		}
		worst, scale := distance(only(same, got[name]), only(same, w))
		t.Logf("%s: %s differs by %.2g of %.3g", spec, name, worst, scale)
		if !(worst <= 1e-3*scale) {
			t.Errorf("%s: %s differs by %g, the largest value is %g", spec, name, worst, scale)
		}
	}
}

// distance returns the largest difference and the largest value.
func distance(got, want []float64) (worst, scale float64) {
	for i, w := range want {
		if math.IsInf(w, 0) && w == got[i] {
			continue
		}
		worst = max(worst, math.Abs(got[i]-w))
		if math.Abs(w) < masked {
			scale = max(scale, math.Abs(w))
		}
	}
	return worst, scale
}

// masked is below what Grounding-DINO gives for tokens that are none (−50,000):
// no measure of the others.
const masked = 4e4
