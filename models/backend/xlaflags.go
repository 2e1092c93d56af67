package backend

import (
	"os"
	"path/filepath"
	"strings"
)

// envXLA holds the options of XLA, which reads them when its plug-in is loaded.
const envXLA = "XLA_FLAGS"

// Deterministic makes XLA choose its ways on NVIDIA GPUs without timing them,
// and only such that add up in a fixed order: two runs then give the same bytes,
// at a price in speed. It counts for backends that are opened afterwards. The
// CPU needs nothing.
func Deterministic() {
	addXLAFlags("--xla_gpu_deterministic_ops=true", "--xla_gpu_autotune_level=0")
}

// cacheAutotuning lets XLA remember what it timed on a GPU, in the user's cache
// folder, so that the next run compiles faster and chooses the same.
func cacheAutotuning() {
	dir, err := os.UserCacheDir()
	if err != nil {
		return
	}
	dir = filepath.Join(dir, "wsss", "xla-autotune")
	if strings.ContainsAny(dir, " \t\n") || os.MkdirAll(dir, 0o755) != nil {
		return
	}
	addXLAFlags("--xla_gpu_per_fusion_autotune_cache_dir=" + dir)
}

// addXLAFlags adds options that the user has not set.
func addXLAFlags(flags ...string) {
	now := os.Getenv(envXLA)
	for _, flag := range flags {
		if name, _, _ := strings.Cut(flag, "="); !strings.Contains(now, name) {
			now = strings.TrimSpace(now + " " + flag)
		}
	}
	os.Setenv(envXLA, now)
}
