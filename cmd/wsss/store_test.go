package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/store/storetest"
	"wsss/data"
)

// runner gives a function that runs a command in this process and ends the test where
// it has another exit code.
func runner(t *testing.T) func(code int, args []string) {
	return func(code int, args []string) {
		t.Helper()
		if got := dispatch(t.Context(), args); got != code {
			t.Fatalf("%v: exit code %d, want %d", args, got, code)
		}
	}
}

// upload copies a folder into the server's bucket.
func upload(t *testing.T, s *storetest.Server, dir, prefix string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		s.Put(prefix+filepath.ToSlash(rel), raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// storeRun is the arguments of a command over partPhotos.
func storeRun(command, root, out string, more ...string) []string {
	args := append([]string{command, "-quiet", "-config", "/dev/null"}, more...)
	for _, s := range []string{"data.kind=folder", "data.root=" + root, "out=" + out, "data.train_split=train", "data.val_split=train", "gen.method=grabcut", "gen.weak=boxes"} {
		args = append(args, "-set", s)
	}
	return args
}

// withoutTimes is a file of scores without what differs from call to call: times and
// the command line, and more keys.
func withoutTimes(t *testing.T, raw []byte, more ...string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for _, key := range append(more, "seconds", "images_per_s", "provenance", "settings") {
		delete(m, key)
	}
	raw, _ = json.Marshal(m)
	return string(raw)
}

// TestObjectStorage: photos in a bucket and labels into it are those of folders,
// byte for byte, alone and by two processes of a job; the scores are the same.
func TestObjectStorage(t *testing.T) {
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	partPhotos(t, photos, "a", "b", "e")
	s := storetest.Serve(t)
	upload(t, s, photos, "in/")
	run := runner(t)
	score := func(raw []byte) string { return withoutTimes(t, raw, "notes") }
	run(exitOK, storeRun("gen", photos, out))
	run(exitOK, storeRun("eval", photos, out, "-report"))
	want, err := os.ReadFile(filepath.Join(out, "results", "pseudo-labels.json"))
	if err != nil {
		t.Fatal(err)
	}
	for prefix, more := range map[string][]string{"alone": nil, "job": {"-job", "j"}} {
		root, at := s.Address("in"), s.Address(prefix)
		run(exitOK, storeRun("gen", root, at, more...))
		run(exitOK, storeRun("gen", root, at, append(more, "-status")...))
		for _, name := range []string{"a.png", "a.json", "b.png", "b.json", "c.png", "c.json"} {
			local, err := os.ReadFile(filepath.Join(out, "gen", name))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Get(prefix + "/gen/" + name); !bytes.Equal(got, local) {
				t.Errorf("%s: %s has %d bytes in the bucket, %d in the folder, or others", prefix, name, len(got), len(local))
			}
		}
		run(exitOK, storeRun("eval", root, at, "-report"))
		if got := s.Get(prefix + "/results/pseudo-labels.json"); score(got) != score(want) {
			t.Errorf("%s: %s\nin a folder: %s", prefix, score(got), score(want))
		}
		if page := s.Get(prefix + "/report.html"); !bytes.Contains(page, []byte("</html>")) {
			t.Errorf("%s: the report has %d bytes", prefix, len(page))
		}
		if text := s.Get(prefix + "/config.toml"); !bytes.Contains(text, []byte(`out = "s3://`+s.Bucket+`/`+prefix+`"`)) || bytes.Contains(text, []byte("endpoint")) {
			t.Errorf("%s: %s", prefix, text)
		}
	}
	predicted := s.Address("predicted")
	run(exitOK, []string{"predict", "-quiet", "-method", "grabcut", "-labels", filepath.Join(photos, "boxes.csv"), "-out", predicted, s.Address("in/images")})
	if label, err := data.DecodeLabelMap(bytes.NewReader(s.Get("predicted/a.png"))); err != nil || label.W != 40 {
		t.Error(err, s.Keys("predicted"))
	}
	for _, key := range s.Keys("") {
		if strings.Contains(key, ".tmp-") {
			t.Errorf("left behind: %s", key)
		}
	}
}

// TestObjectStorageErrors: each is one clear error with the right exit code.
func TestObjectStorageErrors(t *testing.T) {
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	partPhotos(t, photos)
	s := storetest.Serve(t)
	upload(t, s, photos, "in/")
	for name, tc := range map[string]struct {
		args []string
		code int
	}{
		"no such bucket":      {storeRun("gen", s.AddressOf("nowhere", "in"), filepath.Join(dir, "o")), exitUsage},
		"nothing there":       {storeRun("gen", s.Address("nothing"), filepath.Join(dir, "o")), exitMissing},
		"an unknown store":    {storeRun("gen", "ftp://x/y", filepath.Join(dir, "o")), exitUsage},
		"scenes generated to": {[]string{"gen", "-config", "/dev/null", "-set", "data.kind=scenes", "-set", "data.root=" + s.Address("scenes"), "-set", "out=" + dir}, exitUsage},
	} {
		if code := dispatch(t.Context(), tc.args); code != tc.code {
			t.Errorf("%s: exit code %d, want %d", name, code, tc.code)
		}
	}
	s.Failing(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			storetest.Refuse(w, http.StatusForbidden, "AccessDenied")
		}
		return r.Method == http.MethodPut
	})
	if code := dispatch(t.Context(), storeRun("gen", s.Address("in"), s.Address("readonly"))); code != exitFailed {
		t.Errorf("read-only: exit code %d", code)
	}
	if keys := s.Keys("readonly"); len(keys) > 0 {
		t.Errorf("read-only, and it holds %v", keys)
	}
}
