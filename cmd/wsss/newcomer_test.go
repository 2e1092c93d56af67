package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data/annotation/annotationtest"
	"wsss/models/manifest"
)

// tinyTraining makes a config of init quick enough for a test.
var tinyTraining = []string{
	"train.network.width=0.0625", "train.batch=2", "train.accumulate=1", "train.augment.crop=33",
	"train.iterations=20", "train.checkpoint.val_every=0", "train.optimizer.ema=0", "train.network.backbone=resnet18",
}

// From a folder of photos as any tool leaves it: init, data validate, run and
// predict end well, and the same boxes give the same labels whatever format
// they were in.
func TestNewcomer(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	n := 4
	if os.Getenv("WSSS_VERIFY") != "" {
		n = 12
	}
	photos := annotationtest.Photos(n)
	labels := map[string][]byte{} // photo → the first layout's label map
	for _, layout := range append(slices.Clone(annotationtest.Layouts), annotationtest.Masks) {
		t.Run(layout.Name, func(t *testing.T) {
			dir := t.TempDir()
			root, config, out := filepath.Join(dir, "photos"), filepath.Join(dir, "my.toml"), filepath.Join(dir, "out")
			layout.Write(annotationtest.NewWriter(t, root), photos)
			call := func(args ...string) string {
				t.Helper()
				return capture(t, func() {
					if code := dispatch(t.Context(), args); code != exitOK {
						t.Errorf("wsss %s: exit code %d", strings.Join(args, " "), code)
					}
				})
			}
			call("init", "-out", config, root)
			if t.Failed() {
				t.FailNow()
			}
			c, err := configs.Load(config, nil)
			if err != nil {
				t.Fatal(err)
			}
			if supervised := c.Train.Labels == "truth"; supervised != layout.Outlines || c.Gen.Weak != "boxes" {
				t.Errorf("labels %q from %q of a layout with outlines %v", c.Train.Labels, c.Gen.Weak, layout.Outlines)
			}
			call("data", "validate", "-config", config, "-quiet")
			set := []string{"-quiet", "-set", "out=" + out}
			for _, s := range tinyTraining {
				set = append(set, "-set", s)
			}
			call(append([]string{"run", "-config", config, "-dry-run"}, set...)...)
			call(append([]string{"run", "-config", config, "-backend", "go"}, set...)...)
			if layout.Outlines { // run trained on the outlines; the boxes around them label as all others do
				call(append([]string{"gen", "-config", config, "-set", "train.labels="}, set...)...)
			}
			net := pipeline.NetPseudo
			if layout.Outlines {
				net = pipeline.NetBound
			}
			call("predict", "-checkpoint", filepath.Join(out, "train", net), "-backend", "go", "-quiet", "-out", filepath.Join(dir, "pred"), root)
			compareLabels(t, filepath.Join(out, "gen"), photos, labels)
		})
	}
}

// compareLabels compares label maps with those of the same photos in labels,
// and adds the others.
func compareLabels(t *testing.T, dir string, photos []annotationtest.Photo, labels map[string][]byte) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".png" {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, p := range photos {
			if !strings.HasSuffix(strings.TrimSuffix(path, ".png"), p.Name) {
				continue
			}
			seen++
			if first, ok := labels[p.Name]; ok && !bytes.Equal(first, raw) {
				t.Errorf("%s differs from the label of the same boxes in another format", path)
			}
			labels[p.Name] = raw
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Errorf("%d labels in %s, error %v", seen, dir, err)
	}
}
