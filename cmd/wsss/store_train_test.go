package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
	"wsss/data/corrections"
	"wsss/data/folder"
)

// TestTrainingIntoObjectStorage: a whole run whose folder is a bucket has the
// labels, losses, weights and scores of one in a folder, however often the bucket fails it; what
// is there is whole at any time.
func TestTrainingIntoObjectStorage(t *testing.T) {
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	partPhotos(t, photos, "b", "d", "f")
	s := storetest.Serve(t)
	upload(t, s, photos, "in/")
	run := runner(t)
	local := partRun(photos, out, "train.checkpoint.tensorboard=true", "train.self_training.rounds=1", "train.self_training.min=0.1")
	remote := partRun(s.Address("in"), s.Address("run"), "train.checkpoint.tensorboard=true", "train.self_training.rounds=1", "train.self_training.min=0.1")
	run(exitOK, local)
	refused := 0
	s.Failing(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/train/pseudo/step-00000003.safetensors") {
			return false
		}
		refused++
		storetest.Refuse(w, http.StatusForbidden, "AccessDenied")
		return true
	})
	run(exitFailed, remote)
	if refused != 1 {
		t.Errorf("refused %d times, want once: not to be tried again", refused)
	}
	s.Failing(nil)
	if s.Get("run/train/pseudo/step-00000002.safetensors") == nil || s.Get("run/train/pseudo/log.jsonl") == nil {
		t.Errorf("the training left %v", s.Keys("run/train/"))
	}
	run(exitOK, remote)
	for _, name := range []string{"gen/a.png", "train/pseudo/log.jsonl", "train/pseudo/step-00000004.safetensors", "train/pseudo/loss.svg", "self/1/a.png"} {
		want, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Get("run/" + name); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes in the bucket, %d in the folder, or others\n%s\n%s", name, len(got), len(want), firstOf(got), firstOf(want))
		}
	}
	for _, name := range []string{"report.html", "train/pseudo/run.json", "train/pseudo/events.out.tfevents.0.wsss", "results/trained-on-pseudo-labels.json"} {
		if s.Get("run/"+name) == nil {
			t.Errorf("no %s: %v", name, s.Keys("run/"))
		}
	}
	// All else that reads a network.
	run(exitOK, []string{"predict", "-quiet", "-backend", "go", "-checkpoint", s.Address("run/train/pseudo"), "-out", s.Address("predicted"), filepath.Join(photos, "images", "a.png")})
	if s.Get("predicted/a.png") == nil {
		t.Errorf("predict wrote %v", s.Keys("predicted"))
	}
	onnx := filepath.Join(dir, "net.onnx")
	run(exitOK, []string{"export", "-checkpoint", s.Address("run/train/pseudo"), "-out", onnx})
	if !files.Exists(onnx) {
		t.Error("export wrote nothing")
	}
	last := s.Address("run/train/pseudo/step-00000004.safetensors")
	if err := runExportNet(t.Context(), []string{"-checkpoint", last, "-out", last}); err == nil || !strings.Contains(err.Error(), "would replace the checkpoint") {
		t.Errorf("export over the checkpoint: %v", err)
	}
	for _, one := range []string{last, filepath.Join(out, "train/pseudo/step-00000004.safetensors")} {
		if err := runExportNet(t.Context(), []string{"-checkpoint", s.Address("run/train/pseudo"), "-out", one}); err == nil || !strings.Contains(err.Error(), "would replace a checkpoint") {
			t.Errorf("export of a folder over %s: %v", one, err)
		}
	}
	run(exitOK, []string{"export", "-checkpoint", last, "-out", s.Address("net.safetensors")})
	if s.Get("net.safetensors") == nil {
		t.Errorf("export wrote %v", s.Keys("net"))
	}
	again := s.Requests(http.MethodPut)
	run(exitOK, remote)
	if n := s.Requests(http.MethodPut) - again; n > 60 {
		t.Errorf("a finished run was written again: %d files", n)
	}
	for _, key := range s.Keys("") {
		if strings.Contains(key, ".tmp-") {
			t.Errorf("left behind: %s", key)
		}
	}
	// Somebody else is at it.
	s.Put("run/.leases/99", []byte(`{"pid":7,"host":"elsewhere","command":"run"}`))
	run(exitHeld, remote)
	if _, err := os.Stat("s3:"); err == nil {
		t.Error("an address was taken for a folder of this machine")
		os.RemoveAll("s3:")
	}
}

func firstOf(raw []byte) []byte { return raw[:min(len(raw), 400)] }

// TestCorrectionsInObjectStorage: what review keeps lies beside the photos in the
// bucket, and gen takes it up.
func TestCorrectionsInObjectStorage(t *testing.T) {
	photos := filepath.Join(t.TempDir(), "photos")
	partPhotos(t, photos, "b", "d", "f")
	s := storetest.Serve(t)
	upload(t, s, photos, "in/")
	args := storeRun("gen", s.Address("in"), s.Address("o"))
	if code := dispatch(t.Context(), args); code != exitOK {
		t.Fatal(code)
	}
	before := s.Get("o/gen/a.png")
	root, err := files.Mount("data.root", s.Address("in"), true)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := folder.Open(photos, folder.Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	classes := ds.Classes()
	mine, other := &corrections.Folder{Dir: corrections.DirOf("", root, ""), Classes: classes}, &corrections.Folder{Dir: corrections.DirOf("", root, ""), Classes: classes}
	_, version, err := mine.Update(t.Context(), "a", 40, 32, nil, func(c *corrections.Correction) error {
		c.Verdict = corrections.Rejected
		return nil
	})
	if err != nil || s.Get("in/corrections/a.correction.json") == nil {
		t.Fatalf("%v; there is %v", err, s.Keys("in/corrections"))
	}
	if now, err := mine.Version("a"); now != version || err != nil {
		t.Errorf("read again: %q, %v, want %q", now, err, version)
	}
	stale := "0000"
	if _, _, err := other.Update(t.Context(), "a", 40, 32, &stale, func(*corrections.Correction) error { return nil }); err != corrections.ErrChanged {
		t.Errorf("a change of another version: %v", err)
	}
	gets := s.Requests(http.MethodGet)
	for range 100 {
		if v, err := mine.Version("b"); v != "" || err != nil {
			t.Error(v, err)
		}
	}
	if n := s.Requests(http.MethodGet) - gets; n > 2 {
		t.Errorf("%d requests for corrections that are not there", n)
	}
	if code := dispatch(t.Context(), args); code != exitOK {
		t.Fatal(code)
	}
	if after := s.Get("o/gen/a.png"); bytes.Equal(before, after) {
		t.Error("a rejected image keeps its label")
	}
}
