package formats

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/data/datatest"
	"wsss/models/manifest"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	safe := filepath.Join(dir, "x.safetensors")
	values := map[string]*tensors.Tensor{"plain": tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2)}
	if err := safetensors.WriteFile(safe, values, nil); err != nil {
		t.Fatal(err)
	}
	for path, name := range map[string]string{
		safe: "plain", "../pth/testdata/zip.pth": "state_dict.plain", "../pth/testdata/legacy.pth": "state_dict.plain",
	} {
		src, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := src.Tensor(name); err != nil {
			t.Error(err)
		}
		src.Close()
	}
	for _, content := range []string{"", "hello, these are no weights"} {
		path := filepath.Join(dir, "other")
		datatest.Write(t, path, content)
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path+": neither a safetensors file nor") {
			t.Errorf("%q: error %v", content, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "absent")); !os.IsNotExist(err) {
		t.Errorf("error %v", err)
	}
}

func TestOpenInitial(t *testing.T) {
	if src, path, err := OpenInitial("../pth/testdata/zip.pth"); err != nil || path != "../pth/testdata/zip.pth" {
		t.Errorf("a file: %q, %v", path, err)
	} else {
		src.Close()
	}
	t.Setenv(manifest.Env, t.TempDir())
	for init, want := range map[string]string{
		"resnet99":  "allowed are a weight file, or one of resnet18,",
		"resnet101": "wsss models pull resnet101",
	} {
		if _, _, err := OpenInitial(init); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", init, err, want)
		}
	}
}
