package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/eval/export"
	"wsss/models/tiles"
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

func TestListImages(t *testing.T) {
	dir := photos(t, "b.jpg", "a.PNG", "notes.txt", "sub/c.jpeg", "sub/d.gif", "other/b.jpg")
	tests := []struct {
		name  string
		args  []string
		stdin string
		want  []string // ids
		says  string
	}{
		{"a folder to the bottom", []string{dir}, "", []string{"a", "b", "other/b", "sub/c"}, ""},
		{"a glob", []string{filepath.Join(dir, "*")}, "", []string{"a", "b"}, ""},
		{"files", []string{filepath.Join(dir, "sub/c.jpeg"), filepath.Join(dir, "b.jpg")}, "", []string{"c", "b"}, ""},
		{"a list", []string{"-"}, "\ufeff" + filepath.Join(dir, "b.jpg") + "\n\n  " + filepath.Join(dir, "a.PNG") + "\r\n", []string{"b", "a"}, ""},
		{"one name twice", []string{filepath.Join(dir, "b.jpg"), filepath.Join(dir, "other/b.jpg")}, "", nil, "both be written as b"},
		{"a list that leaves its folder", []string{"-"}, "../../etc/x.jpg", []string{"x"}, ""},
		{"nothing in a folder", []string{photos(t, "x.txt")}, "", nil, "no image in"},
		{"nothing in a glob", []string{filepath.Join(dir, "*.txt")}, "", nil, "no image in"},
		{"no such file", []string{filepath.Join(dir, "none*.jpg")}, "", nil, "none*.jpg"},
		{"an empty list", []string{"-"}, "\n", nil, "no image in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdin := filepath.Join(t.TempDir(), "list")
			if err := os.WriteFile(stdin, []byte(tt.stdin), 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(stdin)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			old := os.Stdin
			os.Stdin = f
			defer func() { os.Stdin = old }()
			list, err := listImages(tt.args)
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("error %v, want one that says %q", err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, in := range list {
				ids = append(ids, in.id)
			}
			if !slices.Equal(ids, tt.want) {
				t.Errorf("ids %q, want %q", ids, tt.want)
			}
		})
	}
}

// TestPredictKeepsPhotos: labels never replace photos.
func TestPredictKeepsPhotos(t *testing.T) {
	dir := photos(t, "a.png", "b.jpg", "sub/c.png", "overlay/d.jpg")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, out string
		args      []string
		says      string
	}{
		{"the folder itself", dir, []string{dir}, "a.png would replace it"},
		{"in a format that is written elsewhere", dir, []string{filepath.Join(dir, "a.png")}, ""},
		{"by another name", link, []string{dir}, "a.png would replace it"},
		{"a file below", filepath.Join(dir, "sub"), []string{filepath.Join(dir, "sub/c.png")}, "c.png would replace it"},
		{"an overlay", dir, []string{filepath.Join(dir, "overlay/d.jpg")}, "d.jpg would replace it"},
		{"photos of another type", dir, []string{filepath.Join(dir, "b.jpg")}, ""},
		{"another folder", filepath.Join(dir, "labels"), []string{dir}, ""},
	}
	for _, tt := range tests {
		list, err := listImages(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		formats := "coco, png,overlay"
		if strings.Contains(tt.name, "elsewhere") {
			formats = "labelme,yolo"
		}
		if err := keepPhotos(list, tt.out, formats); (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestSmaller(t *testing.T) {
	tests := []struct {
		size    image.Point
		maxSide int
		want    image.Point
	}{
		{image.Pt(500, 375), 0, image.Pt(500, 375)},
		{image.Pt(6000, 4000), 0, image.Pt(6000, 4000)},
		{image.Pt(6000, 4000), 6000, image.Pt(6000, 4000)},
		{image.Pt(1000, 500), 400, image.Pt(400, 200)},
		{image.Pt(9000, 1), 300, image.Pt(300, 1)},
	}
	for _, tt := range tests {
		if got := smaller(tt.size, tt.maxSide); got != tt.want {
			t.Errorf("%v, -max-side %d: %v, want %v", tt.size, tt.maxSide, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		how   large
		crf   bool
		size  image.Point
		tiles bool
	}{
		{large{}, false, image.Pt(1900, 1600), false},
		{large{}, false, image.Pt(2000, 1600), true},
		{large{}, true, image.Pt(1900, 1600), true},
		{large{tile: 512}, false, image.Pt(600, 500), true},
		{large{tile: 512}, false, image.Pt(512, 512), false},
		{large{tile: 4096}, false, image.Pt(4000, 3000), false},
	} {
		if got := tt.how.cut(21, tt.crf).Cuts(tt.size); got != tt.tiles {
			t.Errorf("%+v, CRF %v: %v is cut: %v", tt.how, tt.crf, tt.size, got)
		}
	}
}

// TestBeginAt: a photo that is labelled smaller has labels of its own size, in
// the same place.
func TestBeginAt(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 90, 60))
	for y := range 60 {
		for x := range 90 {
			img.SetNRGBA(x, y, color.NRGBA{R: uint8(x / 45 * 200), A: 255})
		}
	}
	p := &redPredictor{}
	rest, err := beginAt(t.Context(), p, img, image.Pt(30, 20))
	if err != nil {
		t.Fatal(err)
	}
	label, err := rest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.size != image.Pt(30, 20) || label.Size() != image.Pt(90, 60) {
		t.Fatalf("labelled at %v, the map has %v", p.size, label.Size())
	}
	for i, v := range label.Pix {
		if x := i % 90; (x < 43 && v != 0) || (x > 46 && v != 1) {
			t.Fatalf("pixel %d of a row is %d", x, v)
		}
	}
}

// redPredictor gives red pixels class 1.
type redPredictor struct{ size image.Point }

func (p *redPredictor) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	p.size = img.Rect.Size()
	m := data.NewLabelMap(p.size.X, p.size.Y)
	for i := range m.Pix {
		if img.Pix[4*i] > 100 {
			m.Pix[i] = 1
		}
	}
	return m, nil
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

// badDisk is a writer that fails at some images, after a while at the first.
type badDisk struct{ later chan struct{} }

func (w badDisk) Add(id string, _ *image.NRGBA, _ *data.LabelMap) error {
	switch id {
	case "b":
		<-w.later
	case "c":
		close(w.later)
	default:
		return nil
	}
	return errors.New("disk full")
}

func (w badDisk) Close() error { return nil }

// blank labels every pixel as background.
type blank struct{}

func (blank) Predict(_ context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	return data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy()), nil
}

// TestLabellingFirstError: of two labels that cannot be written the first in
// order is named.
func TestLabellingFirstError(t *testing.T) {
	dir := t.TempDir()
	var images []input
	for _, id := range []string{"a", "b", "c", "d"} {
		path := filepath.Join(dir, id+".png")
		writeBlack(t, path)
		images = append(images, input{path: path, id: id})
	}
	l := &labelling{predictor: blank{}, images: images, cut: tiles.For(2), writers: []export.Writer{badDisk{make(chan struct{})}},
		slots: make(chan struct{}, 4), refining: make(chan struct{}, 4)}
	err := l.run(t.Context(), func(int, int) {})
	if want := images[1].path + ": disk full"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// writeBlack writes a small photo.
func writeBlack(t *testing.T, path string) {
	t.Helper()
	var buf bytes.Buffer
	if err := errors.Join(png.Encode(&buf, image.NewNRGBA(image.Rect(0, 0, 4, 4))), os.WriteFile(path, buf.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}
