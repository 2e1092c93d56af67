package official_test

import (
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
	"wsss/models/official"
)

// TestRAM compares the taggers of small checkpoints under the official names
// with the reference code, on every backend.
func TestRAM(t *testing.T) {
	dir := inFolder(t, "ram.pth", "ram_plus.pth")
	v := openValues(t, "ram_values.pth")
	for _, name := range []string{"ram", "ram_plus"} {
		out := filepath.Join(dir, name+".onnx")
		if err := official.RAM(filepath.Join(dir, name+".pth"), out); err != nil {
			t.Fatal(err)
		}
		for _, spec := range backendtest.Quick(t) {
			got := run(t, spec, out, map[string]*tensors.Tensor{"image": v.get("image")}, "logits")
			near(t, spec+": "+name, got["logits"], v.get(name))
		}
	}
}
