package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/folder"
	"wsss/data/validate"
	"wsss/data/weaken"
)

// smallScenes generates a set through the command line.
func smallScenes(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "scenes")
	text := capture(t, func() {
		if code := dispatch(t.Context(), []string{"data", "scenes", "-out", dir, "-train", "4", "-val", "2", "-seed", "3", "-quiet"}); code != exitOK {
			t.Fatalf("scenes: exit code %d", code)
		}
	})
	if !strings.Contains(text, "4 + 2 pictures in "+dir) {
		t.Errorf("printed %q", text)
	}
	return dir
}

func TestDataWeakenAndValidate(t *testing.T) {
	src := smallScenes(t)
	photos := filepath.Join(t.TempDir(), "photos")
	for from, to := range map[string]string{"JPEGImages": "images", "SegmentationClass": "masks"} {
		if err := os.CopyFS(filepath.Join(photos, to), os.DirFS(filepath.Join(src, from))); err != nil {
			t.Fatal(err)
		}
	}
	text := capture(t, func() {
		args := []string{"data", "weaken", "-masks", filepath.Join(photos, "masks"), "-classes", filepath.Join(src, "classes.txt"), "-out", photos, "-seed", "5", "-quiet"}
		if code := dispatch(t.Context(), args); code != exitOK {
			t.Fatalf("weaken: exit code %d", code)
		}
	})
	for _, name := range []string{"tags.csv", "points.csv", "scribbles.csv", "boxes.csv", "classes.txt"} {
		if !strings.Contains(text, filepath.Join(photos, name)+"\n") {
			t.Errorf("weaken does not say that it wrote %s:\n%s", name, text)
		}
	}
	ds, err := folder.Open(photos, folder.Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ds.Load("train_000001", data.WantTruth|data.WantWeak)
	if err != nil {
		t.Fatal(err)
	}
	want, err := weaken.Derive(s.Truth, data.WeakKinds, weaken.SeedFor(5, "train_000001"), weaken.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Weak); diff != "" {
		t.Error(diff)
	}
	validateFolder(t, photos)
}

// TestWeakenKeepsLabels: labels that somebody made are not replaced unasked.
func TestWeakenKeepsLabels(t *testing.T) {
	src := smallScenes(t)
	for format, file := range map[string]string{"csv": "boxes.csv", "json": "labels.json", "voc": "Annotations/train_000001.xml"} {
		out := t.TempDir()
		run := func(code int, more ...string) string {
			t.Helper()
			cmd := wsssCommand(t, append([]string{"data", "weaken", "-kind", "scenes", "-root", src, "-set", "data.options.train=4", "-set", "data.options.val=2",
				"-set", "seed=3", "-out", out, "-quiet", "-format", format}, more...)...)
			text, _ := cmd.CombinedOutput() // the code says it
			if got := cmd.ProcessState.ExitCode(); got != code {
				t.Fatalf("%s %q: exit code %d, want %d: %s", format, more, got, code, text)
			}
			return string(text)
		}
		run(exitOK)
		run(exitOK) // the same again
		path := filepath.Join(out, file)
		made, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		datatest.Write(t, path, "by hand")
		if text := run(exitUsage); !strings.Contains(text, path+" holds other labels") {
			t.Errorf("%s: %s", format, text)
		}
		if raw, _ := os.ReadFile(path); string(raw) != "by hand" {
			t.Errorf("%s: labels made by hand became %.40s", format, raw)
		}
		run(exitOK, "-replace")
		if raw, _ := os.ReadFile(path); !bytes.Equal(raw, made) {
			t.Errorf("%s: -replace left %.40s", format, raw)
		}
	}
}

// TestWeakenSkipsUnlabelled: photos without a mask get no labels, the others do.
func TestWeakenSkipsUnlabelled(t *testing.T) {
	src := smallScenes(t)
	args := func(out string) []string {
		return []string{"data", "weaken", "-kind", "folder", "-root", src, "-set", `data.options.images="JPEGImages"`, "-set", `data.options.masks="SegmentationClass"`, "-out", out, "-quiet"}
	}
	masks, err := filepath.Glob(filepath.Join(src, "SegmentationClass", "*.png"))
	if err != nil || len(masks) != 6 {
		t.Fatalf("masks %q (%v)", masks, err)
	}
	for i, path := range masks {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		cmd := wsssCommand(t, args(out)...)
		text, _ := cmd.CombinedOutput() // the code says it
		raw, _ := os.ReadFile(filepath.Join(out, "tags.csv"))
		if i == 5 {
			if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(text), "no image has a mask") {
				t.Errorf("without masks: %s", text)
			}
		} else if want := fmt.Sprintf("%d of 6 images have no mask", i+1); !strings.Contains(string(text), want) || bytes.Count(raw, []byte("\n")) != 1+5-i {
			t.Errorf("%s, want %s; tags %s", text, want, raw)
		}
	}
}

// validateFolder checks a clean folder, then breaks one mask.
func validateFolder(t *testing.T, photos string) {
	args := []string{"data", "validate", "-kind", "folder", "-root", photos, "-quiet"}
	text := capture(t, func() {
		if code := dispatch(t.Context(), args); code != exitOK {
			t.Errorf("clean folder: exit code %d", code)
		}
	})
	if !strings.Contains(text, "folder all: 6 samples, 6 readable, 6 masks") || !strings.Contains(text, "0 errors, 0 warnings") {
		t.Errorf("printed:\n%s", text)
	}
	broken := filepath.Join(photos, "masks", "val_000002.png")
	m, err := data.ReadLabelMap(broken)
	if err != nil {
		t.Fatal(err)
	}
	m.Set(3, 4, 77)
	if err := data.WriteLabelMap(broken, m); err != nil {
		t.Fatal(err)
	}
	text = capture(t, func() {
		if code := dispatch(t.Context(), args); code != exitFailed {
			t.Errorf("broken folder: exit code %d", code)
		}
	})
	if !strings.Contains(text, broken+": pixel (3,4) has value 77") || !strings.Contains(text, "1 error, 0 warnings") {
		t.Errorf("printed:\n%s", text)
	}
	text = capture(t, func() { dispatch(t.Context(), append(args, "-json")) })
	var reports []validate.Report
	if err := json.Unmarshal([]byte(text), &reports); err != nil || len(reports) != 1 || reports[0].Errors != 1 || reports[0].Findings[0].Kind != "mask-value" {
		t.Errorf("JSON: %v, %+v", err, reports)
	}
}

func TestDataWeakenFormats(t *testing.T) {
	src := smallScenes(t)
	for format, want := range map[string][]string{
		"json": {"labels.json", "classes.txt"},
		"voc":  {"tags.txt", "points.json", "scribbles/val_000002.xml", "Annotations/train_000001.xml"},
	} {
		out := filepath.Join(t.TempDir(), format)
		args := []string{"data", "weaken", "-kind", "scenes", "-root", src, "-set", "data.options.train=4", "-set", "data.options.val=2", "-set", "seed=3",
			"-instances", filepath.Join(src, "SegmentationObject"), "-format", format, "-out", out, "-quiet"}
		capture(t, func() {
			if code := dispatch(t.Context(), args); code != exitOK {
				t.Errorf("%s: exit code %d", format, code)
			}
		})
		for _, name := range want {
			if _, err := os.Stat(filepath.Join(out, name)); err != nil {
				t.Errorf("%s: %v", format, err)
			}
		}
	}
}

func TestDataExport(t *testing.T) {
	src, out := smallScenes(t), t.TempDir()
	args := []string{"data", "export", "-masks", filepath.Join(src, "SegmentationClass"), "-classes", filepath.Join(src, "classes.txt"),
		"-images", filepath.Join(src, "JPEGImages"), "-format", "coco, yolo,overlay,png", "-out", out, "-quiet"}
	if code := dispatch(t.Context(), args); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range []string{"coco.json", "yolo/data.yaml", "yolo/labels/*/val_000002.txt", "yolo/images/*/val_000002.jpg", "overlay/train_000001.jpg", "train_000003.png"} {
		if found, err := filepath.Glob(filepath.Join(out, name)); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	var coco struct {
		Images []struct {
			Name string `json:"file_name"`
		}
		Categories []struct{ Name string }
	}
	raw, err := os.ReadFile(filepath.Join(out, "coco.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &coco); err != nil || len(coco.Images) != 6 || coco.Images[0].Name != "train_000001.jpg" || len(coco.Categories) != 7 {
		t.Errorf("%v: %+v", err, coco)
	}
	again := t.TempDir()
	args = []string{"data", "export", "-kind", "scenes", "-root", src, "-set", "data.options.train=4", "-set", "data.options.val=2", "-set", "seed=3", "-format", "coco", "-out", again, "-quiet"}
	if code := dispatch(t.Context(), args); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	if same, err := os.ReadFile(filepath.Join(again, "coco.json")); err != nil || string(same) != string(raw) {
		t.Errorf("the dataset's own masks give another file: %v", err)
	}
}

func TestDataUsage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
	}{
		{"", exitUsage},
		{"-h", exitOK},
		{"check", exitUsage},
		{"validate -h", exitOK},
		{"validate", exitUsage},
		{"validate -kind folder", exitUsage},
		{"validate -kind folder -root " + dir + "/none", exitUsage},
		{"validate -kind folder -root " + dir, exitFailed}, // it holds no image
		{"validate -kind albums -root " + dir, exitUsage},
		{"weaken -out x", exitUsage},
		{"weaken -masks " + dir, exitUsage},
		{"weaken -masks " + dir + " -out x", exitUsage},
		{"weaken -masks " + dir + " -out x -kinds masks", exitUsage},
		{"weaken -masks " + dir + " -out x -format xls", exitUsage},
		{"weaken -masks " + dir + " -kind voc -out x", exitUsage},
		{"export -masks " + dir + " -out x", exitUsage},
		{"export -kind folder -root " + dir + " -out x -format coco", exitFailed},
		{"convert -root " + dir + " -out x", exitUsage},
		{"convert -root " + dir + " -out x -to xls", exitFailed}, // it holds no image
		{"scenes", exitUsage},
		{"scenes -out " + dir, exitFailed}, // it holds something else
	} {
		capture(t, func() {
			if code := dispatch(t.Context(), append([]string{"data"}, strings.Fields(tc.args)...)); code != tc.code {
				t.Errorf("data %s: exit code %d, want %d", tc.args, code, tc.code)
			}
		})
	}
}
