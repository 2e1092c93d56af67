package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data/datatest"
	"wsss/models/backend"
	"wsss/models/manifest"
)

// ownPhotos is a folder of six small pictures with boxes and no masks.
func ownPhotos(t *testing.T, dir string) {
	t.Helper()
	var labels strings.Builder
	labels.WriteString("image,class,x0,y0,x1,y1\n")
	write := func(name, text string) {
		datatest.Write(t, filepath.Join(dir, name), text)
	}
	if err := os.MkdirAll(filepath.Join(dir, "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		img := image.NewNRGBA(image.Rect(0, 0, 40, 32))
		for p := range 40 * 32 {
			x, y := p%40, p/40
			img.Set(x, y, color.NRGBA{uint8(4 * x), 120, uint8(5 * y), 255})
			if x > 8+i && x < 24 && y > 6 && y < 22 {
				img.Set(x, y, color.NRGBA{230, 40, 20, 255})
			}
		}
		name := string(rune('a' + i))
		f, err := os.Create(filepath.Join(dir, "images", name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		f.Close()
		labels.WriteString(name + ",brick,7,5,26,24\n")
	}
	write("boxes.csv", labels.String())
	write("classes.txt", "background\nbrick\n")
}

// The config that init writes is one that a run takes; without any true mask
// the report shows what the network sees.
func TestInitOwnPhotos(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	dir := t.TempDir()
	photos, config := filepath.Join(dir, "photos"), filepath.Join(dir, "my.toml")
	ownPhotos(t, photos)
	text := capture(t, func() {
		if code := dispatch(t.Context(), []string{"init", "-out", config, photos}); code != exitOK {
			t.Fatalf("exit code %d", code)
		}
	})
	for _, want := range []string{"kind folder, 5 images to train on (split train), split val is left out of it", "boxes      of 5 of 5", "nothing will be scored", "wsss models pull resnet", "wsss run -config " + config} {
		if !strings.Contains(text, want) {
			t.Errorf("output lacks %q:\n%s", want, text)
		}
	}
	c, err := configs.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Gen.Method != "grabcut" || c.Gen.Weak != "boxes" || c.Gen.Fuse.Rule != "smaller-first" || c.Train.Init != "" || c.Train.BatchNorm != "train" {
		t.Errorf("chosen: %+v, init %q", c.Gen, c.Train.Init)
	}
	if wanted := map[bool]string{false: "efficientnet-lite0 tf", true: "resnet101 torch"}[backend.HasGPU()]; c.Train.Backbone+" "+c.Train.Input != wanted {
		t.Errorf("chosen: %s with input %s, want %s", c.Train.Backbone, c.Train.Input, wanted)
	}
	if code := dispatch(t.Context(), []string{"init", "-out", config, photos}); code != exitUsage {
		t.Errorf("an existing config is written over: exit code %d", code)
	}
	out := filepath.Join(dir, "out")
	args := []string{"run", "-config", config, "-backend", "go", "-quiet"}
	for _, s := range []string{"out=" + out, "train.network.init=", "train.network.batch_norm=train", "train.network.backbone=resnet18", "train.network.width=0.0625", "train.batch=2", "train.accumulate=1", "train.augment.crop=33", "train.iterations=2", "train.checkpoint.val_every=0"} {
		args = append(args, "-set", s)
	}
	text = capture(t, func() {
		if code := dispatch(t.Context(), args); code != exitOK {
			t.Fatalf("run: exit code %d", code)
		}
	})
	if strings.Contains(text, "–") || !strings.Contains(text, `nothing could be scored: no true masks in "train" and "val"; the report shows`) || !strings.Contains(text, "report: "+filepath.Join(out, "report.html")) {
		t.Errorf("the run without true masks prints:\n%s", text)
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"folder val: 1 image without true masks", `"name":"trained on pseudo-labels"`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestInitFaults(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	dir := t.TempDir()
	ownPhotos(t, filepath.Join(dir, "photos"))
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{nil, exitUsage},
		{[]string{filepath.Join(dir, "absent")}, exitUsage},
		{[]string{filepath.Join(dir, "photos", "boxes.csv")}, exitUsage},
		{[]string{"-weak", "guesses", filepath.Join(dir, "photos")}, exitUsage},
		{[]string{"-weak", "points", filepath.Join(dir, "photos")}, exitFailed}, // it has none
		{[]string{"-kind", "voc", filepath.Join(dir, "photos")}, exitFailed},
		{[]string{empty}, exitFailed},
	} {
		config := filepath.Join(dir, "c.toml")
		if code := dispatch(t.Context(), append([]string{"init", "-out", config}, c.args...)); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.args, code, c.code)
		}
		if _, err := os.Stat(config); err == nil {
			t.Errorf("%v: a config was written", c.args)
		}
	}
}
