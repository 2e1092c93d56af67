package backendtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/models/backend/nativelib"
)

func TestNames(t *testing.T) {
	for _, env := range []string{nativelib.EnvORT, nativelib.EnvXLA} {
		lib := filepath.Join(t.TempDir(), "lib.so")
		if err := os.WriteFile(lib, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv(env, lib)
	}
	for asked, want := range map[string][]string{
		"": {"go", "onnx", "xla:cpu"}, "all": {"go", "onnx", "xla:cpu"}, "go": {"go"}, "xla,onnx": {"onnx", "xla:cpu"}, "xla:cpu": {"xla:cpu"},
	} {
		t.Setenv(Env, asked)
		if got := Names(t); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", asked, got, want)
		}
	}
	t.Setenv(nativelib.EnvORT, filepath.Join(t.TempDir(), "none.so"))
	t.Setenv(Env, "")
	if got := Names(t); !slices.Equal(got, []string{"go", "xla:cpu"}) {
		t.Errorf("without ONNX Runtime: %v", got)
	}
}

// TestDemanded: an engine that was asked for and is missing fails the test.
func TestDemanded(t *testing.T) {
	if os.Getenv("WSSS_TEST_CHILD") != "" {
		Names(t)
		return
	}
	for _, asked := range []string{"all", "onnx", "tpu"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDemanded$")
		cmd.Env = append(os.Environ(), "WSSS_TEST_CHILD=1", Env+"="+asked, nativelib.EnvORT+"="+filepath.Join(t.TempDir(), "none.so"))
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), Env+"=") {
			t.Errorf("%s passed: %s", asked, out)
		}
	}
}
