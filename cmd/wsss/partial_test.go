package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/train"
)

// partPhotos is ownPhotos, a to f, with boxes for a, b, c and e only, split into
// a–d to train on and e, f to validate on, with true masks of the images named.
func partPhotos(t *testing.T, dir string, masks ...string) {
	t.Helper()
	ownPhotos(t, dir)
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		datatest.Write(t, path, text)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "boxes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(raw), "\n"), func(l string) bool {
		return strings.HasPrefix(l, "d,") || strings.HasPrefix(l, "f,")
	})
	write("boxes.csv", strings.Join(lines, "\n"))
	write("splits/train.txt", "a\nb\nc\nd\n")
	write("splits/val.txt", "e\nf\n")
	for _, id := range masks {
		m := data.NewLabelMap(40, 32)
		for y := 7; y < 22; y++ {
			for x := 9 + int(id[0]-'a'); x < 24; x++ {
				m.Set(x, y, 1)
			}
		}
		if err := data.WriteLabelMap(filepath.Join(dir, "masks", id+".png"), m); err != nil {
			t.Fatal(err)
		}
	}
}

// partRun is the arguments of a run over partPhotos.
func partRun(photos, out string, more ...string) []string {
	args := []string{"run", "-backend", "go", "-config", "/dev/null"}
	for _, s := range append([]string{"out=" + out, "data.kind=folder", "data.root=" + photos, "data.train_split=train", "data.val_split=val",
		"gen.method=grabcut", "gen.weak=boxes", "train.network.arch=deeplab-v3plus", "train.network.output_stride=16", "train.network.msc=false", "train.network.init=",
		"train.network.batch_norm=train", "train.network.backbone=resnet18", "train.network.stride_in=3x3", "train.network.input=torch", "train.network.width=0.0625",
		"train.batch=2", "train.accumulate=1", "train.augment.crop=33", "train.iterations=4", "train.checkpoint.val_every=2", "train.checkpoint.every=3"}, more...) {
		args = append(args, "-set", s)
	}
	return args
}

// TestPartlyLabelled: a run works with what is labelled, and with the true
// masks that there are, to a report.
func TestPartlyLabelled(t *testing.T) {
	tests := []struct {
		name      string
		masks     []string
		set       []string
		code      int
		says      []string
		images    map[string]int // trained on, by network
		validated int
	}{
		{"no mask", nil, nil, exitOK,
			[]string{"left out: 1 of 4 images, which have no boxes", "no image of split val has a true mask"}, map[string]int{"pseudo": 3}, 0},
		{"masks of some", []string{"b", "d", "f"}, []string{"train.bound=true", "train.self_training.rounds=1", "train.self_training.min=0.1"}, exitOK,
			[]string{"labels of 3 of the 4 images of split train", "pseudo-label mIoU"}, map[string]int{"pseudo": 3, "round1": 3, "bound": 2}, 1},
		{"a bound without masks", []string{"e"}, []string{"train.bound=true"}, exitOK,
			[]string{"train.bound: no image of split train has a true mask"}, map[string]int{"pseudo": 3}, 1},
		{"true masks of some", []string{"a", "b", "c", "e"}, []string{`train.labels=truth`}, exitOK,
			nil, map[string]int{"bound": 3}, 1},
		{"true masks of none", []string{"e"}, []string{`train.labels=truth`}, exitUsage,
			[]string{"no image of split train has a true mask to train on"}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
			partPhotos(t, photos, tt.masks...)
			cmd := wsssCommand(t, partRun(photos, out, tt.set...)...)
			raw, err := cmd.CombinedOutput()
			text := string(raw)
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Fatalf("exit code %d (%v), want %d\n%s", code, err, tt.code, text)
			}
			for _, want := range tt.says {
				if strings.Count(text, want) != 1 {
					t.Errorf("says %q %d times, want once\n%s", want, strings.Count(text, want), text)
				}
			}
			for net, images := range tt.images {
				c, err := checkpoints.Latest(filepath.Join(out, "train", net), nil)
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				if c.Meta.Images != images || c.Meta.Step != 4 {
					t.Errorf("%s: %d updates on %d images, want 4 on %d", net, c.Meta.Step, c.Meta.Images, images)
				}
				log, err := train.ReadLog(filepath.Join(out, "train", net, train.LogFile))
				if err != nil {
					t.Fatal(err)
				}
				for _, rec := range log {
					if rec.ValMIoU != nil && rec.Images != tt.validated {
						t.Errorf("%s: validated on %d images, want %d", net, rec.Images, tt.validated)
					}
				}
			}
			if tt.code == exitOK && !files.Exists(filepath.Join(out, "report.html")) {
				t.Error("there is no report")
			}
		})
	}
}

// TestRunKeepsGoing: a broken photo ends a run, or with -keep-going is left out
// and named at the end.
func TestRunKeepsGoing(t *testing.T) {
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	partPhotos(t, photos, "a", "c", "e")
	datatest.Write(t, filepath.Join(photos, "images", "b.png"), "no picture")
	args := partRun(photos, out)
	if raw, err := wsssCommand(t, args...).CombinedOutput(); err == nil || !strings.Contains(string(raw), "b.png") || !strings.Contains(string(raw), "-keep-going") || files.Exists(filepath.Join(out, "train")) {
		t.Fatalf("%v\n%s", err, raw)
	}
	cmd := wsssCommand(t, append(args, "-keep-going")...)
	raw, _ := cmd.CombinedOutput()
	if text := string(raw); cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(text, "1 image failed") || !strings.Contains(text, "b.png") {
		t.Errorf("exit code %d\n%s", cmd.ProcessState.ExitCode(), text)
	}
	if !files.Exists(filepath.Join(out, "report.html")) {
		t.Error("there is no report")
	}
}

// TestStagesNeedTheirSplits: each stage alone asks for the splits that it reads
// and no other.
func TestStagesNeedTheirSplits(t *testing.T) {
	photos, out := filepath.Join(t.TempDir(), "photos"), t.TempDir()
	partPhotos(t, photos, "e", "f")
	set := []string{"-set", "data.kind=folder", "-set", "data.root=" + photos, "-set", "out=" + out}
	for _, args := range [][]string{
		{"eval", "-labels", filepath.Join(photos, "masks"), "-split", "val"}, // data.train_split stays VOC's
		{"gen", "-config", "/dev/null", "-set", "gen.method=grabcut", "-set", "gen.weak=boxes", "-set", "data.train_split=train", "-set", "data.val_split=none"},
	} {
		if text, err := wsssCommand(t, append(args, set...)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, text)
		}
	}
}

// TestQuietWarns: -quiet hides no damage.
func TestQuietWarns(t *testing.T) {
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	partPhotos(t, photos)
	args := append(partRun(photos, out, "train.checkpoint.val_every=0"), "-quiet")
	if raw, err := wsssCommand(t, args...).CombinedOutput(); err != nil || !strings.Contains(string(raw), "left out: 1 of 4 images") || strings.Contains(string(raw), "backend") {
		t.Fatalf("%v\n%s", err, raw)
	}
	last := filepath.Join(out, "train", "pseudo", checkpoints.FileName(4))
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	raw, err := wsssCommand(t, args...).CombinedOutput()
	if err != nil || !strings.Contains(string(raw), checkpoints.FileName(4)) {
		t.Errorf("%v: says nothing of the damaged checkpoint\n%s", err, raw)
	}
	if again, err := os.ReadFile(last); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("the training did not end with the same bytes: %v", err)
	}
}
