package nativelib

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
)

// plant writes an empty file, its folders included.
func plant(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	datatest.Write(t, path, "")
	t.Cleanup(func() { os.Remove(path) }) // what lies beside the test's binary is found by all tests
	return path
}

// bare leaves no variable set and a home folder without libraries.
func bare(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	for _, name := range []string{EnvORT, EnvXLA, EnvCUDA, "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	return home
}

// TestPlanted: a library in the working folder is not found, wherever there.
func TestPlanted(t *testing.T) {
	for _, home := range []string{"", ".", "elsewhere"} { // a home folder may be missing or relative too
		bare(t)
		if home != "elsewhere" {
			t.Setenv("HOME", home)
		}
		work := t.TempDir()
		t.Chdir(work)
		for _, l := range All {
			for _, dir := range []string{"", "lib", ".cache/onnxruntime", ".cache/xla", ".cache/wsss/" + l.folder, ".local/lib/onnxruntime", ".local/lib/go-xla", ".local/lib/go-xla/nvidia"} {
				for _, name := range append(l.files, l.beside) {
					if name != "" && !strings.Contains(name, "*") {
						plant(t, work, dir, name)
					}
				}
			}
			if path, err := l.Find(); err == nil && strings.HasPrefix(path, work) {
				t.Errorf("HOME=%q: %s is taken from the working folder: %s", home, l.Name, path)
			}
			for _, dir := range l.Places() {
				if !filepath.IsAbs(dir) || strings.HasPrefix(dir, work) {
					t.Errorf("HOME=%q: %s is looked for in %s", home, l.Name, dir)
				}
			}
		}
	}
}

func TestFind(t *testing.T) {
	home := bare(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		t.Fatal(err)
	}
	check := func(what, want string) {
		t.Helper()
		if got, err := XLACPU.Find(); err != nil || got != want {
			t.Errorf("%s: found %s, %v; want %s", what, got, err, want)
		}
	}
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	check("GoMLX's folder", plant(t, home, ".local/lib/go-xla/pjrt_c_api_cpu_v0.114.0_plugin.so"))
	check("the cache", plant(t, cache, "xla/pjrt_c_api_cpu_plugin.so"))
	check("beside the binary", plant(t, filepath.Dir(exe), "lib/pjrt_c_api_cpu_plugin.so"))
	t.Chdir(home)
	t.Setenv(EnvXLA, "mine.so")
	if _, err := XLACPU.Find(); err == nil || !strings.Contains(err.Error(), EnvXLA+"=mine.so") {
		t.Errorf("a variable that names no file: error %v", err)
	}
	check("a relative path in the variable", plant(t, home, "mine.so"))
}

// TestFindNeedsProvider: a build of ONNX Runtime without the provider is not one for the GPU.
func TestFindNeedsProvider(t *testing.T) {
	home := bare(t)
	lib := plant(t, home, "ort/libonnxruntime.so.1")
	t.Setenv(EnvORT, lib)
	if _, err := ONNXCUDA.Find(); err == nil || !strings.Contains(err.Error(), "providers_cuda") {
		t.Errorf("error %v does not name the provider's file", err)
	}
	if got, err := ONNX.Find(); err != nil || got != lib {
		t.Errorf("found %s, %v", got, err)
	}
	plant(t, home, "ort/libonnxruntime_providers_cuda.so")
	if got, err := ONNXCUDA.Find(); err != nil || got != lib {
		t.Errorf("found %s, %v", got, err)
	}
}
