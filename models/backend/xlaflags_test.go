package backend

import (
	"os"
	"strings"
	"testing"
)

func TestXLAFlags(t *testing.T) {
	t.Setenv(envXLA, "--xla_gpu_autotune_level=4 --other=1")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	Deterministic()
	Deterministic()
	cacheAutotuning()
	got := os.Getenv(envXLA)
	want := "--xla_gpu_autotune_level=4 --other=1 --xla_gpu_deterministic_ops=true --xla_gpu_per_fusion_autotune_cache_dir=" + os.Getenv("XDG_CACHE_HOME") + "/wsss/xla-autotune"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir()+"/with space")
	t.Setenv(envXLA, "")
	if cacheAutotuning(); strings.Contains(os.Getenv(envXLA), "space") {
		t.Errorf("%q: XLA splits its options at spaces", os.Getenv(envXLA))
	}
}

func TestGraphsKept(t *testing.T) {
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	if n := GraphsKept(b, 3); n != 3 {
		t.Errorf("go keeps %d graphs, want 3", n)
	}
}
