package main

import (
	"os"
	"path/filepath"
	"slices"
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
		return output(t, wsssCommand(t, args...), want)
	}
	text := call(exitOK, "init", "-classes", "bolt,nut", "-weak", "boxes", "-out", config, root)
	if has(t, text, "which are to be drawn"); strings.Index(text, "wsss review") > strings.Index(text, "wsss data validate") {
		t.Errorf("validating comes before drawing:\n%s", text)
	}
	has(t, call(exitFailed, "data", "validate", "-config", config, "-quiet"), "images have no boxes, which gen.weak names")
	small := []string{"run", "-config", config, "-backend", "go", "-quiet", "-set", "out=" + filepath.Join(dir, "out")}
	for _, s := range tinyTraining {
		small = append(small, "-set", s)
	}
	has(t, call(exitMissing, small...), "draw them by wsss review")

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
	has(t, call(exitOK, "data", "validate", "-config", config, "-quiet"), "split train: no boxes of nut: 1 class with nothing to learn from")
	call(exitOK, small...)
	if _, err := os.Stat(filepath.Join(dir, "out", "report.html")); err != nil {
		t.Error(err)
	}

	// Scored by another config than it was trained by, the network is told apart.
	other := slices.DeleteFunc(slices.Clone(small[1:]), func(a string) bool { return a == "-quiet" })
	other = append([]string{"report"}, append(other, "-set", "train.iterations=21")...)
	has(t, call(exitOK, other...), "note: the network trained on pseudo-labels has learnt by other settings than the config's")
}
