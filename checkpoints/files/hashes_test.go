package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// settle waits until a file's times tell of the next change.
func settle() { time.Sleep(settled + 50*time.Millisecond) }

func TestHashes(t *testing.T) {
	dir := t.TempDir()
	a, list := filepath.Join(dir, "a"), filepath.Join(dir, HashesName)
	put(t, a, "one")
	put(t, filepath.Join(dir, "tree", "x", "b"), "two")
	fresh := OpenHashes(list)
	if _, err := fresh.SHA256(a); err != nil {
		t.Fatal(err)
	}
	if len(fresh.files) != 0 {
		t.Error("a file written just now was remembered: a second change within a step of its clock would pass")
	}
	settle()
	h := OpenHashes(list)
	one, err := h.SHA256(a)
	tree, err2 := h.Tree(filepath.Join(dir, "tree"))
	if err := errors.Join(err, err2, h.Save()); err != nil {
		t.Fatal(err)
	}
	if plain, _ := SHA256(a); one != plain {
		t.Errorf("%s, want %s", one, plain)
	}
	h = OpenHashes(list)
	if len(h.files) != 2 {
		t.Errorf("remembered %v", h.files)
	}
	for key, f := range h.files { // what is remembered is not read again
		f.SHA256 = "known"
		h.files[key] = f
	}
	if got, _ := h.SHA256(a); got != "known" {
		t.Errorf("an unchanged file was read again: %s", got)
	}
	if got, _ := h.Tree(filepath.Join(dir, "tree")); got != "known" {
		t.Errorf("an unchanged folder was read again: %s", got)
	}
	put(t, a, "six")
	put(t, filepath.Join(dir, "tree", "x", "c"), "more")
	if got, _ := h.SHA256(a); got == "known" || got == one {
		t.Errorf("a change passed: %s", got)
	}
	if got, _ := h.Tree(filepath.Join(dir, "tree")); got == "known" || got == tree {
		t.Errorf("a new file in a folder passed: %s", got)
	}
}

func TestTree(t *testing.T) {
	dir := t.TempDir()
	var h *Hashes
	if got, err := h.Tree(filepath.Join(dir, "none")); got != "" || err != nil {
		t.Errorf("no file: %q, %v", got, err)
	}
	put(t, filepath.Join(dir, "t", "a"), "1")
	put(t, filepath.Join(dir, "t", ".tmp-1-a"), "x")
	put(t, filepath.Join(dir, "u", "a"), "1")
	a, _ := h.Tree(filepath.Join(dir, "t"))
	b, _ := h.Tree(filepath.Join(dir, "u"))
	if a == "" || a != b {
		t.Errorf("a copy has the hash %q, the original %q", b, a)
	}
	put(t, filepath.Join(dir, "u", "a"), "2")
	if c, _ := h.Tree(filepath.Join(dir, "u")); c == a {
		t.Error("another content has the same hash")
	}
	if err := h.Save(); err != nil {
		t.Error(err)
	}
}

// Files that are gone are forgotten; what another process has written meanwhile
// stays; a damaged list is a new one.
func TestHashesSave(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, HashesName)
	put(t, list, "{damaged")
	for _, name := range []string{"a", "b", "c"} {
		put(t, filepath.Join(dir, name), name)
	}
	settle()
	one, two := OpenHashes(list), OpenHashes(list)
	for h, names := range map[*Hashes][]string{one: {"a", "b"}, two: {"b", "c"}} {
		for _, name := range names {
			if _, err := h.SHA256(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(one.Save(), two.Save()); err != nil {
		t.Fatal(err)
	}
	if h := OpenHashes(list); len(h.files) != 3 {
		t.Errorf("kept %v, want a, b and c", h.files)
	}
	os.Remove(filepath.Join(dir, "a"))
	put(t, filepath.Join(dir, "d"), "d")
	h := OpenHashes(list)
	if _, err := h.SHA256(filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	if err := h.Save(); err != nil {
		t.Fatal(err)
	}
	if h := OpenHashes(list); len(h.files) != 2 {
		t.Errorf("kept %v, want b and c", h.files)
	}
	if _, err := h.SHA256(dir); err == nil {
		t.Error("a folder has a hash")
	}
}
