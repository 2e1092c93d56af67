package main

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// photos makes empty files of these names in a new folder.
func photos(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkPredict labels the photos of the validation split as a user's own, from
// a folder, a glob and a list, and compares them with what eval wrote.
func checkPredict(t *testing.T, run func(code int, args ...string) string, scenes, checkpoint, predictions string) {
	t.Helper()
	glob := filepath.Join(scenes, "JPEGImages", "val_*.jpg")
	list, err := filepath.Glob(glob)
	if err != nil || len(list) == 0 {
		t.Fatalf("no photos at %s: %v", glob, err)
	}
	args := []string{"predict", "-checkpoint", checkpoint, "-backend", "go", "-scales", "0.375", "-quiet", "-format", "png,overlay,coco,yolo,cvat,labelme"}
	for name, more := range map[string][]string{"glob": {glob}, "folder": {filepath.Dir(glob)}, "files": list} {
		out := filepath.Join(t.TempDir(), name)
		run(exitOK, append(append(args, "-out", out), more...)...)
		for _, photo := range list {
			id := strings.TrimSuffix(filepath.Base(photo), ".jpg")
			want, err := os.ReadFile(filepath.Join(predictions, id+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(out, id+".png")); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s.png is not what eval wrote: %v", name, id, err)
			}
			if files, err := filepath.Glob(filepath.Join(out, "yolo", "labels", "*", id+".txt")); err != nil || len(files) != 1 {
				t.Errorf("%s: YOLO's labels of %s: %v (%v)", name, id, files, err)
			}
			for _, file := range []string{"overlay/" + id + ".jpg", "labelme/" + id + ".json", "coco.json", "cvat.xml", "yolo/data.yaml"} {
				if info, err := os.Stat(filepath.Join(out, file)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %s: %v", name, file, err)
				}
			}
		}
	}
	checkBroken(t, run, args, list)
}

// checkBucket: another bucket makes the predictions of a run again, and predict
// labels the same with it.
func checkBucket(t *testing.T, run func(code int, args ...string) string, eval []string, scenes, checkpoint, predictions string) {
	t.Helper()
	read := func(dir string) string {
		all := ""
		paths, err := filepath.Glob(filepath.Join(dir, "*.png"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no label maps in %s: %v", dir, err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all += string(raw)
		}
		return all
	}
	before := read(predictions)
	run(exitOK, append(slices.Clone(eval), "-set", "eval.bucket=256")...)
	after := read(predictions)
	if after == before {
		t.Error("another eval.bucket: the predictions are those of before")
	}
	args := []string{"predict", "-checkpoint", checkpoint, "-backend", "go", "-scales", "0.375", "-quiet", "-bucket"}
	out := t.TempDir()
	run(exitOK, append(args, "256", "-out", out, filepath.Join(scenes, "JPEGImages", "val_*.jpg"))...)
	if read(out) != after {
		t.Error("predict -bucket 256 labels otherwise than eval.bucket = 256")
	}
	if text := run(exitUsage, append(args, "513", "-out", out, scenes)...); !strings.Contains(text, "-bucket 513") || !strings.Contains(text, "0..512") {
		t.Errorf("-bucket 513: %q", text)
	}
}

// checkBroken labels a folder with photos that cannot be read: the others,
// however small, are labelled as ever, and these are listed.
func checkBroken(t *testing.T, run func(code int, args ...string) string, args, list []string) {
	t.Helper()
	bad, out := photos(t, "a-empty.jpg", "z-text.png"), t.TempDir()
	good, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]image.Point{"pixel.png": {X: 1, Y: 1}, "strip.png": {X: 90, Y: 2}} {
		var b bytes.Buffer
		if err := errors.Join(png.Encode(&b, image.NewGray16(image.Rectangle{Max: size})), os.WriteFile(filepath.Join(bad, name), b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range map[string][]byte{"good.jpg": good, "half.jpg": good[:len(good)/2], "sub/good.JPG": good, "z-text.png": []byte("no picture"), "phone.HEIC": nil} {
		path := filepath.Join(bad, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, raw, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, crf := range []string{"-crf=false", "-crf"} {
		text := run(exitFailed, append(args, crf, "-out", out, bad)...)
		for _, want := range []string{"3 of 7 images are not labelled:", "left out, as only JPEG, PNG, WebP, TIFF and BMP are read", "a-empty.jpg", "half.jpg", "z-text.png"} {
			if strings.Count(text, want) != 1 {
				t.Errorf("broken photos: %q, want %q", text, want)
			}
		}
		var made []string
		err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
			if strings.HasSuffix(path, ".png") && !strings.HasPrefix(path, filepath.Join(out, "yolo")) { // yolo/ has copies of the photos
				made = append(made, strings.TrimPrefix(path, out))
			}
			if raw, err := os.ReadFile(path); err == nil && (strings.Contains(string(raw), "half") || strings.Contains(path, ".tmp-")) {
				t.Errorf("%s is about a photo that is not labelled, or half-written", path)
			}
			return err
		})
		if err != nil || !slices.Equal(made, []string{"/good.png", "/pixel.png", "/strip.png", "/sub/good.png"}) {
			t.Errorf("label maps %q (%v)", made, err)
		}
	}
}
