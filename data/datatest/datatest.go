// Package datatest helps tests that read real data. Such data is too large
// for the repository; tests skip, with the reason, where it is absent.
package datatest

import (
	"os"
	"path/filepath"
	"testing"
)

// Env names the environment variable that points at the shared folder: either
// the one that holds "data" or the data folder itself.
const Env = "WSSS_SHARED"

// Shared returns the folder of the shared test data (voc_mini, tiny_coco, …):
// $WSSS_SHARED if set, else a folder shared/data beside any parent of the
// working directory. It skips the test where there is none.
func Shared(t testing.TB) string {
	t.Helper()
	dir, ok := find()
	if !ok {
		t.Skipf("shared test data not found: set %s, or put it in a folder shared/data beside the repository", Env)
	}
	return dir
}

// Path is Shared joined with elem; it skips the test where that file or
// folder is absent.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{Shared(t)}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("shared test data lacks %s", filepath.Join(elem...))
	}
	return path
}

// Case is the path of a file or folder of shared/cases, small inputs that once
// failed, which lies beside shared/data; false where it is not there.
func Case(elem ...string) (string, bool) {
	dir, ok := find()
	if !ok {
		return "", false
	}
	path := filepath.Join(append([]string{filepath.Dir(dir), "cases"}, elem...)...)
	_, err := os.Stat(path)
	return path, err == nil
}

func find() (string, bool) {
	if root := os.Getenv(Env); root != "" {
		if nested := filepath.Join(root, "data"); isDir(nested) {
			return nested, true
		}
		return root, isDir(root)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if shared := filepath.Join(dir, "shared", "data"); isDir(shared) {
			return shared, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// RealEnv names the folder of published networks that `make real` fetches.
const RealEnv = "WSSS_REAL"

// Real is the path of a published network that `make real` fetches, checked by
// its hash there; the test is skipped where it is not.
func Real(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(RealEnv)
	if dir == "" {
		t.Skipf("%s: `make real` fetches published networks, and sets %s", name, RealEnv)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s lacks %s: `make real` fetches it", dir, name)
	}
	return path
}

// TorchEnv names the Python that has PyTorch, which `make torch` installs.
const TorchEnv = "WSSS_TORCH"

// Torch is a Python with PyTorch and onnx; the test is skipped where there is none.
func Torch(t testing.TB) string {
	t.Helper()
	python := os.Getenv(TorchEnv)
	if python == "" {
		t.Skipf("PyTorch is not installed: `make torch` does, and sets %s", TorchEnv)
	}
	return python
}
