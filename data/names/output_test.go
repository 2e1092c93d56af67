package names

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"wsss/checkpoints/files"
)

// TestMarks: a new folder is told from one of photos, and one that is in use is left
// alone.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	used := filepath.Join(dir, "used")
	if err := os.Mkdir(used, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(used, "a.jpg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name        string
		mark        func(string) error
		run, output bool
	}{
		{"run", MarkRun, true, true},
		{"locked", func(path string) error {
			if err := files.WriteAtomic(filepath.Join(path, ".lock"), func(io.Writer) error { return nil }); err != nil {
				return err
			}
			return MarkRun(path)
		}, true, true},
		{"labels", MarkOutput, false, true},
		{"photos", func(path string) error { return os.Mkdir(path, 0o755) }, false, false},
		{"used", MarkOutput, false, false},
		{"earlier", func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), files.HashesName), nil, 0o644)
		}, false, false},
	} {
		path := filepath.Join(dir, tt.name)
		if err := tt.mark(path); err != nil {
			t.Fatal(err)
		}
		if err := tt.mark(path); err != nil && tt.name != "photos" {
			t.Errorf("%s: a second time: %v", tt.name, err)
		}
		if IsRun(path) != tt.run || IsOutput(path) != tt.output {
			t.Errorf("%s: run %v, output %v", tt.name, IsRun(path), IsOutput(path))
		}
	}
	if !IsRun(dir) {
		t.Error("a run of an earlier version is none")
	}
}
