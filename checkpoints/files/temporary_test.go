package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSweep: what a killed writer left goes, what a living one writes and what
// is not ours stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, TempPrefix+"123-a.png")
	for _, path := range []string{left, filepath.Join(dir, "a.png"), filepath.Join(dir, ".tmp"), filepath.Join(dir, "sub", TempPrefix+"1-b")} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "a.png"), filepath.Join(dir, TempPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	err := WriteAtomic(filepath.Join(dir, "live"), func(w io.Writer) error {
		Sweep(dir)
		_, err := io.WriteString(w, "whole")
		return err
	})
	if raw, _ := os.ReadFile(filepath.Join(dir, "live")); err != nil || string(raw) != "whole" {
		t.Errorf("a file that was being written: %q, %v", raw, err)
	}
	if got := names(t, dir); len(got) != 5 {
		t.Errorf("after Sweep: %v", got)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("the leftover stayed")
	}
	SweepAll(dir)
	if got := names(t, filepath.Join(dir, "sub")); len(got) != 0 {
		t.Errorf("below, after SweepAll: %v", got)
	}
}

func TestOpenOwnRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "log")
	if err := errors.Join(os.WriteFile(target, []byte("theirs"), 0o644), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if f, err := OpenOwn(link, os.O_WRONLY|os.O_TRUNC); err == nil {
		f.Close()
		t.Error("written through a symbolic link")
	}
	if raw, _ := os.ReadFile(target); string(raw) != "theirs" {
		t.Errorf("the target holds %q", raw)
	}
}

// TestTempDir: a folder that a killed process left goes, one that is being
// filled stays, and so does what only looks like one.
func TestTempDir(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "scenes")
	for _, name := range []string{".tmp-scenes-1", ".tmp-scenes-1.old", ".tmp-scenes-x", ".tmp-other-2"} {
		if err := os.MkdirAll(filepath.Join(root, name, "below"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".tmp-scenes-1.lock", ".tmp-scenes-2.lock"} { // the second of a folder that was renamed
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, done, err := TempDir(path)
	if err != nil {
		t.Fatal(err)
	}
	second, done2, err := TempDir(path)
	if err != nil || first == second {
		t.Fatalf("two at once: %s and %s, %v", first, second, err)
	}
	if _, err := os.Stat(first); err != nil {
		t.Errorf("a folder in use: %v", err)
	}
	done()
	if err := os.Rename(second, path); err != nil {
		t.Fatal(err)
	}
	done2()
	if got := names(t, root); !slices.Equal(got, []string{".tmp-other-2", ".tmp-scenes-x", "scenes"}) {
		t.Errorf("in the end: %v", got)
	}
}
