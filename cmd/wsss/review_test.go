package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval/review"
)

// runCommand runs wsss as a process of its own.
func runCommand(t *testing.T, args ...string) (code int, out, says string) {
	t.Helper()
	cmd := wsssCommand(t, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func writePhoto(t *testing.T, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// fromNothing makes a folder of photos without labels and its config.
func fromNothing(t *testing.T, n int) (config, root string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	root = filepath.Join(dir, "photos")
	for i := range n {
		img := image.NewNRGBA(image.Rect(0, 0, 64, 48))
		draw.Draw(img, img.Rect, image.NewUniform(color.NRGBA{20, 130, 60, 255}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(10+i, 10, 30+i, 30), image.NewUniform(color.NRGBA{210, 40, 40, 255}), image.Point{}, draw.Src)
		writePhoto(t, filepath.Join(root, string(rune('a'+i))+".png"), img)
	}
	code, _, text := runCommand(t, "init", "-classes", "scratch,dent", "-weak", "boxes", root)
	if code != exitOK {
		t.Fatalf("init: %d\n%s", code, text)
	}
	return "photos.toml", root
}

// TestReviewFromNothing: photos without any label, boxes drawn in review, then
// labels of those that were drawn.
func TestReviewFromNothing(t *testing.T) {
	config, root := fromNothing(t, 4)
	cfg, err := configs.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.ReviewOptions(context.Background(), "all")
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Queue) != 4 || o.Model != "grabcut" || o.Queue[0].Why != "no label yet" {
		t.Errorf("queue %+v, model %s", o.Queue, o.Model)
	}
	if review.New(*o) == nil {
		t.Fatal("no server")
	}
	code, _, text := runCommand(t, "gen", "-config", config, "-split", "all", "-quiet")
	if code == exitOK || !strings.Contains(text, "boxes") {
		t.Errorf("gen without any label: %d %s", code, text)
	}
	f := o.Dataset.Folder
	if f.Dir != filepath.Join(root, "corrections") {
		t.Errorf("corrections in %s", f.Dir)
	}
	for _, id := range []string{"a", "c"} {
		if _, _, err := f.Update(context.Background(), id, 64, 48, nil, func(c *corrections.Correction) error {
			c.Prompted, c.Prompts = true, []corrections.Prompt{{ID: "1", Class: 2, Box: &corrections.Box{X0: 8, Y0: 8, X1: 34, Y1: 32}}}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	code, _, text = runCommand(t, "gen", "-config", config, "-split", "all")
	if code != exitOK || !strings.Contains(text, "2 labels with what was corrected in review") || !strings.Contains(text, "left out: 2 of 4 images") {
		t.Fatalf("gen: %d %s", code, text)
	}
	m, err := data.ReadLabelMap(filepath.Join(cfg.Out, "gen", "c.png"))
	if err != nil || m.At(20, 20) != 2 || m.At(50, 40) != 0 {
		t.Errorf("label of c: %v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Out, "gen", "b.png")); err == nil {
		t.Error("a photo that nobody labelled has a label")
	}
	// What was drawn is left alone where corrections do not count.
	if code, _, _ := runCommand(t, "gen", "-config", config, "-split", "all", "-quiet", "-set", "data.corrections=none"); code == exitOK {
		t.Error("data.corrections = none still takes them")
	}
	if code, _, text := runCommand(t, "review", "-config", config, "-set", "data.corrections=none"); code != exitUsage {
		t.Errorf("review without a place for corrections: %d %s", code, text)
	}
}

// TestAcceptedMasksAreTruth: accepted labels of validation images score
// networks; those of training images do not score the labels themselves.
func TestAcceptedMasksAreTruth(t *testing.T) {
	config, _ := fromNothing(t, 6)
	cfg, err := configs.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		split string
		want  bool
	}{{cfg.Data.TrainSplit, false}, {cfg.Data.ValSplit, true}} {
		ids, err := p.Dataset.IDs(tt.split)
		if err != nil || len(ids) == 0 {
			t.Fatal(ids, err)
		}
		folder := p.Dataset.(*corrections.Dataset).Folder
		if _, _, err := folder.Update(context.Background(), ids[0], 64, 48, nil, func(c *corrections.Correction) error {
			c.Accept(data.NewLabelMap(64, 48))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if has, err := p.HasTruth(tt.split); has != tt.want || err != nil {
			t.Errorf("split %s has truth: %v, %v", tt.split, has, err)
		}
	}
}
