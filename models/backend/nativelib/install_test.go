package nativelib

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestLocks reads every lock file: all versions and hashes are there, and no
// package is named twice.
func TestLocks(t *testing.T) {
	files, err := locks.ReadDir("locks")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ".txt")
		if !ok {
			continue
		}
		_, pins, err := readLock(name)
		if err != nil || len(pins) == 0 {
			t.Errorf("%s: %d packages, %v", name, len(pins), err)
		}
		seen := map[string]bool{}
		for _, p := range pins {
			if seen[p.Name] {
				t.Errorf("%s names %s twice", name, p.Name)
			}
			seen[p.Name] = true
		}
	}
	if fileHash("xla-cpu", "pjrt_c_api_cpu_plugin.so") == "" {
		t.Error("the CPU plug-in's own SHA-256 is not pinned")
	}
}

func TestCUDALock(t *testing.T) {
	for driver, want := range map[int]string{0: "xla-cuda12", 470: "", 525: "xla-cuda12", 575: "xla-cuda12", 580: "xla-cuda13", 610: "xla-cuda13"} {
		if got, err := cudaLock(driver); got != want || (err == nil) != (want != "") {
			t.Errorf("driver %d: %q, %v; want %q", driver, got, err, want)
		}
	}
	for text, want := range map[string]int{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\nGCC version: 12.3.0":             535,
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)\nGCC version: 13.3.0": 580,
		"": 0,
	} {
		if got := driverVersion(text); got != want {
			t.Errorf("driver %d, want %d, in %q", got, want, text)
		}
	}
}

func TestPlanInstall(t *testing.T) {
	bare(t)
	if _, err := PlanInstall("tpu", false); err == nil || !strings.Contains(err.Error(), "allowed are") {
		t.Errorf("error %v", err)
	}
	if HasNVIDIA() {
		t.Skip("a GPU is here")
	}
	if _, err := PlanInstall("xla:cuda", false); err == nil || !strings.Contains(err.Error(), "no NVIDIA GPU is visible") {
		t.Errorf("xla:cuda without a GPU: error %v", err)
	}
	if p, err := PlanInstall("xla:cuda", true); err != nil || p.Lock != "xla-cuda12" {
		t.Errorf("forced: %q, %v", p.Lock, err)
	}
}

// archive is a zip of the given files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestInstall replaces an older installation, and keeps it where the package
// is not the pinned one.
func TestInstall(t *testing.T) {
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		t.Skip("the plug-in is for linux/amd64")
	}
	bare(t)
	wheel := archive(t, map[string]string{
		"jax_plugins/xla_cuda13/xla_cuda_plugin.so": "plug-in", "nvidia/cu13/bin/ptxas": "assembler", "nvidia/cu13/lib/libcublas.so.13": "blas",
		"nvidia/__init__.py": "", "other/file": "",
	})
	sum := sha256.Sum256(wheel)
	lock := "xla-cuda13"
	text, pins, err := readLock(lock)
	if err != nil {
		t.Fatal(err)
	}
	// Every package of the lock file is the same archive, whose SHA-256 is pinned in their place.
	hash := hex.EncodeToString(sum[:])
	for i := range pins {
		pins[i].Hashes = []string{hash}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/simple/") {
			fmt.Fprintf(w, `{"files": [{"filename": "x-py3-none-win_amd64.whl", "hashes": {"sha256": %q}, "url": "no"},
				{"filename": "x-py3-none-manylinux_2_28_x86_64.whl", "hashes": {"sha256": %[1]q}, "url": "../../files/x.whl"}]}`, hash)
			return
		}
		w.Write(wheel)
	}))
	defer server.Close()
	t.Setenv(envIndex, server.URL+"/simple/")

	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(cache, "xla-cuda")
	plan := Plan{Library: XLACUDA, Lock: lock, root: root}
	old := plant(t, root, stamp)
	say := func(string) {}

	wheel[len(wheel)-1] ^= 1
	if _, err := plan.install(t.Context(), text, pins, say); err == nil || !strings.Contains(err.Error(), "pinned is") {
		t.Errorf("a changed package: error %v", err)
	}
	if !plan.Installed() || plan.Current() || isFile(old) != nil {
		t.Error("a failed installation did not leave the older one")
	}
	wheel[len(wheel)-1] ^= 1
	path, err := plan.install(t.Context(), text, pins, say)
	if err != nil {
		t.Fatal(err)
	}
	found, err := XLACUDA.Find()
	if err != nil || found != path || !plan.Current() {
		t.Errorf("installed %s, found %s, %v, current %t", path, found, err, plan.Current())
	}
	for _, name := range []string{"lib/go-xla/nvidia/bin/ptxas", "lib/libcublas.so.13"} {
		if err := isFile(filepath.Join(root, name)); err != nil {
			t.Errorf("%s is not linked: %v", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(cache, ".tmp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(filepath.Join(root, "lib/go-xla/nvidia/__init__.py")); err == nil {
		t.Error("Python's files are installed too")
	}
}

func TestUnzipStaysInside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "package")
	if err := os.WriteFile(path, archive(t, map[string]string{"nvidia/../../outside": "x"}), 0o644); err != nil {
		t.Fatal(err)
	}
	err := unzip(path, filepath.Join(dir, "to"), Plan{Lock: "xla-cuda13"}.target)
	if err == nil || isFile(filepath.Join(dir, "outside")) == nil {
		t.Errorf("a file outside of the package: error %v", err)
	}
}
