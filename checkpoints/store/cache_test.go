package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
)

// TestCopiesHaveAnOwner: the folder of local copies is not taken for a dead
// process's while this one lives.
func TestCopiesHaveAnOwner(t *testing.T) {
	s := storetest.Serve(t)
	s.Put("z/a", []byte("a"))
	s.Put("z/b", []byte("b"))
	root := mount(t, s.Address("z"), true)
	if _, err := files.ReadFile(filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a lock that nobody holds on to is gone with the next collection
		runtime.GC()
	}
	files.SweepTempDirs(filepath.Join(os.TempDir(), "wsss-store")) // as another process does
	if raw, err := files.ReadFile(filepath.Join(root, "b")); err != nil || string(raw) != "b" {
		t.Errorf("%q, %v", raw, err)
	}
}
