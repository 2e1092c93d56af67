package store_test

import (
	"path/filepath"
	"testing"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
)

// TestGrowing: a file that grows is the same in a folder and in a bucket, where it
// appears whole with each Sync.
func TestGrowing(t *testing.T) {
	s := storetest.Serve(t)
	root := mount(t, s.Address("g"), false)
	for _, dir := range []string{t.TempDir(), root} {
		path := filepath.Join(dir, "log.jsonl")
		read := func() string {
			raw, err := files.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
		write := func(keep int64, want int64, text string) *files.Growing {
			t.Helper()
			g, n, err := files.OpenGrowing(path, keep)
			if err != nil || n != want {
				t.Fatalf("%d bytes, %v; want %d", n, err, want)
			}
			if _, err := g.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			return g
		}
		g := write(100, 0, "one\n")
		if err := g.Sync(); err != nil || read() != "one\n" {
			t.Errorf("%v, %q", err, read())
		}
		if _, err := g.Write([]byte("lost")); err != nil { // and then it is killed
			t.Fatal(err)
		}
		if dir == root && read() != "one\n" {
			t.Errorf("before Sync: %q", read())
		}
		g = write(4, 4, "two\n")
		if err := g.Close(); err != nil || read() != "one\ntwo\n" {
			t.Errorf("%v, %q", err, read())
		}
		g = write(2, 2, "")
		if err := g.Close(); err != nil || read() != "on" {
			t.Errorf("cut: %v, %q", err, read())
		}
	}
	puts := s.Requests("PUT")
	g, _, err := files.OpenGrowing(filepath.Join(root, "log.jsonl"), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil || s.Requests("PUT") != puts {
		t.Errorf("%v; a file that did not change was put up", err)
	}
}
