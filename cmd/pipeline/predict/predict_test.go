package predict

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

func TestList(t *testing.T) {
	dir := photos(t, "b.jpg", "a.PNG", "notes.txt", "sub/c.jpeg", "sub/d.gif", "other/b.jpg")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skipf("the system makes no links: %v", err)
	}
	tests := []struct {
		name  string
		args  []string
		stdin string
		want  []string // ids
		says  string
	}{
		{"a folder to the bottom", []string{dir}, "", []string{"a", "b", "other/b", "sub/c"}, ""},
		{"a link to a folder", []string{link}, "", []string{"a", "b", "other/b", "sub/c"}, ""},
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
			list, err := List(tt.args, strings.NewReader(tt.stdin), func(string) {})
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
			for _, photo := range list {
				ids = append(ids, photo.ID)
			}
			if !slices.Equal(ids, tt.want) {
				t.Errorf("ids %q, want %q", ids, tt.want)
			}
		})
	}
}

// TestKeepPhotos: labels never replace photos.
func TestKeepPhotos(t *testing.T) {
	dir := photos(t, "a.png", "b.jpg", "sub/c.png", "overlay/d.jpg", "e/f.jpg", "e/overlay/f.jpg")
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
		{"photos of another type", dir, []string{filepath.Join(dir, "b.jpg")}, "b.jpg would lie beside it as b.png"},
		{"overlays of another photo", filepath.Join(dir, "e"), []string{filepath.Join(dir, "e")}, "e/f.jpg would replace"},
		{"another folder", filepath.Join(dir, "labels"), []string{dir}, ""},
	}
	for _, tt := range tests {
		list, err := List(tt.args, nil, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		formats := []string{"coco", " png", "overlay"}
		if strings.Contains(tt.name, "elsewhere") {
			formats = []string{"labelme", "yolo"}
		}
		if strings.Contains(tt.name, "overlays") {
			formats = []string{"overlay"}
		}
		if err := KeepPhotos(list, tt.out, formats); (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
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
		how   Network
		size  image.Point
		tiles bool
	}{
		{Network{}, image.Pt(1900, 1600), false},
		{Network{}, image.Pt(2000, 1600), true},
		{Network{CRF: true}, image.Pt(1900, 1600), true},
		{Network{Tile: 512}, image.Pt(600, 500), true},
		{Network{Tile: 512}, image.Pt(512, 512), false},
		{Network{Tile: 4096}, image.Pt(4000, 3000), false},
	} {
		if got := tt.how.cut(21).Cuts(tt.size); got != tt.tiles {
			t.Errorf("%+v: %v is cut: %v", tt.how, tt.size, got)
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
	var images []Photo
	for _, id := range []string{"a", "b", "c", "d"} {
		path := filepath.Join(dir, id+".png")
		writeBlack(t, path)
		images = append(images, Photo{Path: path, ID: id})
	}
	l := &labelling{predictor: blank{}, photos: images, cut: tiles.For(2), writers: []export.Writer{badDisk{make(chan struct{})}},
		slots: make(chan struct{}, 4), refining: make(chan struct{}, 4)}
	err := l.run(t.Context(), func(int, int) {})
	if want := images[1].Path + ": disk full"; err == nil || err.Error() != want {
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
