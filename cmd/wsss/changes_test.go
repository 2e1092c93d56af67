package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
)

func TestChangesText(t *testing.T) {
	for _, tt := range []struct {
		s    gen.Summary
		want string
	}{
		{gen.Summary{Images: 40, Generated: 40, Changes: gen.Changes{New: 40}}, ""},
		{gen.Summary{Images: 40, Generated: 10, Changes: gen.Changes{New: 10}}, ""}, // goes on after a kill
		{gen.Summary{Images: 40, Changes: gen.Changes{Labels: 2, Photos: 1, Gone: 1}}, "3 of 40 made again: 2 labels edited, 1 photo replaced; 1 image is gone"},
		{gen.Summary{Images: 41, Grown: true, Changes: gen.Changes{New: 1}}, "1 new image"},
		{gen.Summary{Images: 40, Changes: gen.Changes{Settings: 40}}, "40 of 40 made again: 40 of other settings"},
		{gen.Summary{Images: 9, Grown: true, Changes: gen.Changes{Files: 2, New: 1, Gone: 2}}, "2 of 9 made again: 2 images with changed input files; 1 new image; 2 images are gone"},
	} {
		if got := pipeline.ChangesText(tt.s); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// boltPhotos writes a folder of n photos with a box each, and a config that
// takes a second for all stages.
func boltPhotos(t *testing.T, n int) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	csv := "image,class,x0,y0,x1,y1\n"
	for i := range n {
		img := image.NewNRGBA(image.Rect(0, 0, 48, 40))
		for y := range 40 {
			for x := range 48 {
				c := color.NRGBA{uint8(90 + x), 110, uint8(80 + i), 255}
				if x >= 10+i && x < 30 && y >= 8 && y < 28 {
					c = color.NRGBA{220, 30, uint8(30 + y), 255}
				}
				img.SetNRGBA(x, y, c)
			}
		}
		path := filepath.Join(dir, "mine", "images", fmt.Sprintf("p%d.png", i))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		f, err2 := os.Create(path)
		if err := errors.Join(err, err2, png.Encode(f, img), f.Close()); err != nil {
			t.Fatal(err)
		}
		csv += fmt.Sprintf("p%d,bolt,%d,7,31,29\n", i, 9+i)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("mine/labels.csv", csv)
	put("mine/classes.txt", "background\nbolt\n")
	put("mine.toml", `name = "mine"
out = "`+dir+`/run"
backend = "go"
[data]
kind = "folder"
root = "`+dir+`/mine"
train_split = "all"
val_split = "all"
[gen]
method = "grabcut"
weak = "boxes"
[train]
arch = "deeplab-v3plus"
backbone = "resnet18"
width = 0.25
output_stride = 16
msc = false
init = ""
input = "torch"
batch_norm = "train"
iterations = 2
batch = 2
crop = 33
`)
	return dir, filepath.Join(dir, "mine.toml")
}

// An edited box is noticed by every command: named where it only looks, made
// again where it works.
func TestEditedBoxIsNoticed(t *testing.T) {
	dir, config := boltPhotos(t, 4)
	wsss := func(args ...string) string {
		t.Helper()
		return output(t, wsssCommand(t, args...), exitOK)
	}
	edit := func(from, to string) {
		t.Helper()
		path := filepath.Join(dir, "mine", "labels.csv")
		raw, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(raw), from) {
			t.Fatal(from, err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(raw), from, to, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first := wsss("run", "-config", config)
	if strings.Contains(first, "made again") || strings.Contains(first, "trained again") {
		t.Errorf("a first run makes nothing again:\n%s", first)
	}
	edit("p1,bolt,10,7,31,29", "p1,bolt,12,9,28,25")
	photo := filepath.Join(dir, "mine", "images", "p0.png")
	has(t, wsss("eval", "-config", config), "note: 1 pseudo-label is older than the data (1 label edited)")
	has(t, wsss("predict", "-checkpoint", filepath.Join(dir, "run/train/pseudo"), "-out", filepath.Join(dir, "look"), photo), "note: 1 pseudo-label is older than the data")
	text := wsss("train", "-config", config)
	has(t, text, "1 of 4 made again: 1 label edited")
	has(t, text, "trained again: 1 of 4 labels changed")
	if text := wsss("eval", "-config", config); strings.Contains(text, "older than") || strings.Contains(text, "since it was") {
		t.Errorf("after training:\n%s", text)
	}
	edit("p2,bolt,11,7,31,29\n", "")
	if err := os.Remove(filepath.Join(dir, "mine", "images", "p2.png")); err != nil {
		t.Fatal(err)
	}
	text = wsss("run", "-config", config)
	page, err := os.ReadFile(filepath.Join(dir, "run", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	has(t, string(page), "UTC: 1 of 4 made again: 1 label edited")
	has(t, string(page), "UTC: 1 image is gone")
	has(t, text, "1 image is gone")
	has(t, text, "trained again: 1 image is gone")
	for _, stale := range []string{"run/gen/p2.png", "run/gen/p2.json"} {
		if _, err := os.Stat(filepath.Join(dir, stale)); err == nil {
			t.Errorf("%s is still there", stale)
		}
	}
	if text := wsss("run", "-config", config); strings.Contains(text, "again") || strings.Contains(text, "gone") {
		t.Errorf("nothing has changed:\n%s", text)
	}
}

// TestOtherTraining: a run in a folder that holds a training of another config is
// refused by the key that differs, before any label is made.
func TestOtherTraining(t *testing.T) {
	dir, config := boltPhotos(t, 2)
	cfg, err := configs.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := cfg.Train
	other.Iterations += 5
	folder := filepath.Join(dir, "run", "train", "pseudo")
	meta := checkpoints.Meta{Step: 1, Seed: cfg.Seed, Images: 2, Log: "log.jsonl", ConfigHash: "other",
		Model: checkpoints.Model{Train: other, Classes: []string{"background", "bolt"}}}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoints.Save(folder, meta, map[string]*tensors.Tensor{"var/a": tensors.FromFlatDataAndDimensions([]float32{1}, 1)}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("train.iterations = %d, now %d", other.Iterations, cfg.Train.Iterations)
	for _, args := range [][]string{{"run", "-config", config, "-quiet"}, {"run", "-config", config, "-dry-run"}, {"train", "-config", config, "-quiet"}} {
		text := output(t, wsssCommand(t, args...), exitFailed)
		has(t, text, want)
		has(t, text, "-restart replaces it")
	}
	if labels, _ := filepath.Glob(filepath.Join(dir, "run", "gen", "*.png")); len(labels) > 0 {
		t.Errorf("labels %v are made before", labels)
	}
}

// Label maps are scored without a config on all images of a folder that has no splits.
func TestScoredWhole(t *testing.T) {
	dir, _ := boltPhotos(t, 2)
	for _, id := range []string{"p0", "p1"} {
		m := data.NewLabelMap(48, 40)
		m.Set(5, 5, 1)
		if err := data.WriteLabelMap(filepath.Join(dir, "mine", "masks", id+".png"), m); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"eval", "-labels", filepath.Join(dir, "mine", "masks"), "-set", "data.kind=folder", "-set", "data.root=" + filepath.Join(dir, "mine"), "-set", "out=" + filepath.Join(dir, "scores")}
	text := output(t, wsssCommand(t, args...), exitOK)
	has(t, text, `has no split "val": scored on "all"`)
	has(t, text, "100.0")
	has(t, output(t, wsssCommand(t, append(args, "-split", "val")...), exitUsage), `split "val" is unknown`)
}
