package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/models/manifest"
)

// TestWrongSplit: a split that the dataset has not is a mistake of whoever names it, in
// whichever command, and the message has those that there are.
func TestWrongSplit(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	partPhotos(t, photos, "a", "e")
	here := []string{"-kind", "folder", "-root", photos, "-split", "nope"}
	config := partRun(photos, out)[1:]
	for name, args := range map[string][]string{
		"gen":           append(config, "-split", "nope"),
		"eval":          append(config, "-split", "nope"),
		"review":        append(config, "-split", "nope"),
		"train":         append(config, "-set", "data.train_split=nope"),
		"run":           append(config, "-set", "data.train_split=nope"),
		"finetune-clip": {"-config", "/dev/null", "-backend", "go", "-dry-run", "-set", "out=" + out, "-set", "data.kind=folder", "-set", "data.root=" + photos, "-set", "data.train_split=nope"},
		"data validate": here,
		"data weaken":   append(here, "-out", out),
		"data export":   append(here, "-out", out, "-format", "coco"),
		"data convert":  append(here, "-out", out, "-to", "coco"),
		"data pack":     append(here, "-out", out),
	} {
		code, _, says := runCommand(t, append(strings.Fields(name), slices.Clone(args)...)...)
		if want := `split "nope" is unknown: allowed are all, train, val (a split is a list splits/nope.txt)`; code != exitUsage || !strings.Contains(says, want) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", name, code, exitUsage, want, says)
		}
		if files.Exists(filepath.Join(out, "gen")) {
			t.Errorf("%s has begun", name)
		}
	}
}
