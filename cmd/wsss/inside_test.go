package main

import (
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data/annotation/annotationtest"
	"wsss/data/datatest"
	"wsss/models/manifest"
)

// TestInsideThePhotos: wsss is used in the very folder of the photos. What it writes
// there, labels, overlays, the report's pictures, copies for a tool, is never taken for
// more photos or labels.
func TestInsideThePhotos(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	dir := filepath.Join(t.TempDir(), "mine")
	w := annotationtest.NewWriter(t, dir)
	labels := "image,class,x0,y0,x1,y1\n"
	for _, p := range annotationtest.Photos(4) {
		w.Photo(p.Name+".png", p)
		labels += p.Name + ",bolt,5,6,22,25\n"
	}
	w.Text("labels.csv", labels)
	call := func(args ...string) string {
		t.Helper()
		cmd := wsssCommand(t, args...)
		cmd.Dir = dir
		return output(t, cmd, exitOK)
	}
	has(t, call("init", "."), "3 images to train on")
	run := []string{"run", "-config", "mine.toml", "-backend", "go"}
	for _, s := range tinyTraining {
		run = append(run, "-set", s)
	}
	call(run...)
	if !files.Exists(filepath.Join(dir, "runs", "mine", ".wsss-run")) {
		t.Error("the run's folder is not marked")
	}
	net := filepath.Join("runs", "mine", "train", "pseudo")
	for range 2 {
		has(t, call("predict", "-checkpoint", net, "-backend", "go", "-format", "png,overlay,yolo", "-out", "labels", "."), "labels of 4 images in labels")
	}
	call("predict", "-method", "grabcut", "-backend", "go", "-labels", "labels.csv", "-out", "masks-of-boxes", ".")
	call("data", "export", "-masks", filepath.Join("runs", "mine", "gen"), "-classes", writeClasses(t), "-images", ".", "-format", "overlay", "-out", "look")
	call("export", "-config", "mine.toml", "-format", "coco", "-n", "2", "-out", "for-tool")
	call("data", "convert", "-root", ".", "-to", "yolo", "-out", "for-yolo")
	if text := call(run...); strings.Contains(text, "again") || strings.Contains(text, "new image") {
		t.Errorf("a second run finds other data:\n%s", text)
	}
	if text := call("data", "validate", "-config", "mine.toml", "-quiet"); strings.Contains(text, "left out") || !strings.Contains(text, "train: 3 samples") {
		t.Errorf("validate:\n%s", text)
	}
	has(t, call("init", "-out", "again.toml", "."), "3 images to train on")
}

func writeClasses(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "classes.txt")
	datatest.Write(t, path, "background\nbolt\n")
	return path
}
