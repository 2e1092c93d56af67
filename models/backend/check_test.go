package backend

import (
	"path/filepath"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Setenv(EnvBackend, "")
	absent := filepath.Join(t.TempDir(), "plugin.so")
	for _, tt := range []struct {
		spec        string
		lack, wrong bool
	}{
		{"", false, false},
		{"go", false, false},
		{"go:ops_sequential", false, false},
		{"onnx:" + absent, true, false},
		{"xla:" + absent, true, false},
		{"xla:cuda", !HasGPU(), false},
		{"tpu", false, true},
		{"Go", false, true},
	} {
		if lack, err := Check(tt.spec); (lack != "") != tt.lack || (err != nil) != tt.wrong {
			t.Errorf("%q: lacks %q, %v", tt.spec, lack, err)
		}
	}
	t.Setenv(EnvBackend, "cuda")
	if _, err := Check(""); err == nil {
		t.Error("an unknown backend of the environment is not refused")
	}
}
