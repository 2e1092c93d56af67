package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"wsss/checkpoints/store/storetest"
)

// TestPackedTrainsAlike: from tar files, in a folder or a bucket, gen makes the
// same labels and training has the same losses as from the photos' own folder.
func TestPackedTrainsAlike(t *testing.T) {
	dir := t.TempDir()
	photos, packed := filepath.Join(dir, "photos"), filepath.Join(dir, "packed")
	partPhotos(t, photos, "b", "d", "f")
	run := func(args []string) {
		t.Helper()
		if code := dispatch(t.Context(), args); code != exitOK {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	run([]string{"data", "pack", "-quiet", "-kind", "folder", "-root", photos, "-split", "train", "-split", "val", "-out", packed})
	read := func(parts ...string) []byte {
		raw, err := os.ReadFile(filepath.Join(append([]string{dir}, parts...)...))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	run(partRun(photos, filepath.Join(dir, "a")))
	run(partRun(packed, filepath.Join(dir, "b"), "data.kind=shards"))
	for _, name := range []string{"gen/a.png", "gen/c.png", "train/pseudo/log.jsonl"} {
		if !bytes.Equal(read("a", name), read("b", name)) {
			t.Errorf("%s differs:\n%s\n%s", name, read("a", name), read("b", name))
		}
	}
	s := storetest.Serve(t)
	upload(t, s, packed, "p/")
	run(append(storeRun("gen", s.Address("p"), s.Address("o")), "-set", "data.kind=shards"))
	if !bytes.Equal(s.Get("o/gen/a.png"), read("a", "gen/a.png")) {
		t.Error("labels of tar files in a bucket differ")
	}
}
