package photo

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wsss/data/datatest"
)

// TestEqualPillowOnPhotos decodes real photos with Pillow beside. It skips
// where Python has no Pillow; $WSSS_PYTHON names another interpreter.
func TestEqualPillowOnPhotos(t *testing.T) {
	photos, err := filepath.Glob(filepath.Join(datatest.Path(t, "voc_mini", "JPEGImages"), "*.jpg"))
	if err != nil || len(photos) == 0 {
		t.Fatalf("%d photos (%v)", len(photos), err)
	}
	python := os.Getenv("WSSS_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import PIL").CombinedOutput(); err != nil {
		t.Skipf("%s has no Pillow (WSSS_PYTHON names an interpreter that has): %v %.80s", python, err, out)
	}
	dir := t.TempDir()
	script := "import sys, os\nfrom PIL import Image\nfor p in sys.argv[2:]: Image.open(p).convert('RGB').save(os.path.join(sys.argv[1], os.path.basename(p) + '.png'))"
	if out, err := exec.Command(python, append([]string{"-c", script, dir}, photos...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sum, most := 0., 0
	for _, p := range photos {
		got, err := Read(p)
		if err != nil {
			t.Fatal(err)
		}
		mean, m := difference(t, got, readPNG(t, filepath.Join(dir, filepath.Base(p)+".png")))
		if sum, most = sum+mean, max(most, m); mean > 0.3 || m > 4 {
			t.Errorf("%s: mean difference %.3f, most %d", p, mean, m)
		}
	}
	t.Logf("%d photos: mean difference %.3f, most %d", len(photos), sum/float64(len(photos)), most)
}
