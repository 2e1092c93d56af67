package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation/annotationtest"
	"wsss/data/corrections"
	"wsss/models/manifest"
)

// TestDrawnLabels: photos without labels, whose labels are drawn in review: init says to
// draw them first, run says how, and what is drawn counts in data validate and run.
func TestDrawnLabels(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	dir := t.TempDir()
	root, config := filepath.Join(dir, "photos"), filepath.Join(dir, "my.toml")
	w := annotationtest.NewWriter(t, root)
	for _, p := range annotationtest.Photos(4) {
		w.Photo(p.Name+".png", p)
	}
	call := func(want int, args ...string) string {
		t.Helper()
		cmd := wsssCommand(t, args...)
		text, _ := cmd.CombinedOutput() // the code says it
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s", args, code, want, text)
		}
		return string(text)
	}
	has := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	text := call(exitOK, "init", "-classes", "bolt,nut", "-weak", "boxes", "-out", config, root)
	if has(text, "which are to be drawn"); strings.Index(text, "wsss review") > strings.Index(text, "wsss data validate") {
		t.Errorf("validating comes before drawing:\n%s", text)
	}
	has(call(exitFailed, "data", "validate", "-config", config, "-quiet"), "images have no boxes, which gen.weak names")
	small := []string{"run", "-config", config, "-backend", "go", "-quiet", "-set", "out=" + filepath.Join(dir, "out")}
	for _, s := range tinyTraining {
		small = append(small, "-set", s)
	}
	has(call(exitMissing, small...), "draw them by wsss review")

	cfg, err := configs.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := &corrections.Folder{Dir: corrections.DirOf(cfg.Data.Corrections, root, cfg.Out), Classes: data.Classes{Names: []string{"background", "bolt", "nut"}}}
	for _, p := range annotationtest.Photos(4) {
		_, _, err := kept.Update(t.Context(), p.Name, 48, 40, nil, func(c *corrections.Correction) error {
			c.Prompted, c.Prompts = true, []corrections.Prompt{{ID: "1", Class: 1, Box: &corrections.Box{X0: 5, Y0: 6, X1: 22, Y1: 25}}}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	has(call(exitOK, "data", "validate", "-config", config, "-quiet"), "split train: no boxes of nut: 1 class with nothing to learn from")
	call(exitOK, small...)
	if _, err := os.Stat(filepath.Join(dir, "out", "report.html")); err != nil {
		t.Error(err)
	}

	// Scored by another config than it was trained by, the network is told apart.
	other := append([]string{"report"}, small[1:]...)
	other = append(other, "-set", "train.iterations=21")
	for i, a := range other {
		if a == "-quiet" {
			other = append(other[:i], other[i+1:]...)
			break
		}
	}
	has(call(exitOK, other...), "note: the network trained on pseudo-labels has learnt by other settings than the config's")
}
