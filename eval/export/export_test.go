package export

import (
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/outline/outlinetest"
)

var testClasses = data.Classes{Names: []string{"background", "cat", "hot dog", "a \"b\" & c: d"}}

// sample is a prediction and its image.
type sample struct {
	id    string
	img   *image.NRGBA
	label *data.LabelMap
}

func samples() []sample {
	var out []sample
	for i, id := range []string{"a", "sub folder/b", "sub folder/deep/c", "empty", "void"} {
		m := outlinetest.Random(uint64(i), 61+7*i, 43, 4, 3)
		if id == "empty" {
			m = data.NewLabelMap(20, 10)
		}
		if id == "void" {
			m = outlinetest.Parse("***", "***")
		}
		out = append(out, sample{id, image.NewNRGBA(image.Rect(0, 0, m.W, m.H)), m})
	}
	return out
}

func addAll(t *testing.T, w Writer, list []sample) {
	t.Helper()
	for _, s := range list {
		if err := w.Add(s.id, s.img, s.label); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, format, dir string) Writer {
	t.Helper()
	w, err := Open(format, dir, testClasses)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// readBack reads what a writer wrote through the format's reader. The photos
// are files of the labels' sizes.
func readBack(t *testing.T, format, dir string, list []sample) map[string]*data.LabelMap {
	t.Helper()
	photos, at := map[string]string{}, t.TempDir()
	for i, s := range list {
		photos[s.id] = filepath.Join(at, fmt.Sprint(i)+".png")
		if err := data.WriteLabelMap(photos[s.id], s.label); err != nil {
			t.Fatal(err)
		}
	}
	src, err := annotation.NewSource(dir, photos)
	if err != nil {
		t.Fatal(err)
	}
	set, err := annotation.Read(src, annotation.Options{Format: format, Classes: testClasses.Names})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*data.LabelMap{}
	for _, im := range set.Images {
		if out[im.ID], err = set.Truth(im, im.W, im.H); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What every format holds is read back to the same pixels, void apart.
func TestRoundTrip(t *testing.T) {
	list := samples()
	for _, f := range formats() {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, f.name, dir)
			addAll(t, w, list)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			switch f.name {
			case "png":
				for _, s := range list {
					got, err := data.ReadLabelMap(filepath.Join(dir, s.id+".png"))
					if err != nil || !slices.Equal(got.Pix, s.label.Pix) {
						t.Errorf("%s: png changes the labels, void included: %v", s.id, err)
					}
				}
			case "overlay", "voc", "csv", "json": // pictures, boxes
			default:
				back := readBack(t, f.name, dir, list)
				for _, s := range list {
					if want := outlinetest.WithoutVoid(s.label); back[s.id] == nil || !slices.Equal(back[s.id].Pix, want.Pix) {
						t.Errorf("%s: the labels change", s.id)
					}
				}
			}
		})
	}
}

func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		out[filepath.ToSlash(name)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestResume stops a run in the middle of a write, goes on in another order
// and from several goroutines, and expects the bytes of an undisturbed run.
func TestResume(t *testing.T) {
	list := samples()
	for _, format := range Formats() {
		if format == "csv" || format == "json" {
			continue // of the images of one run alone: predict begins anew with them
		}
		t.Run(format, func(t *testing.T) {
			whole, stopped := t.TempDir(), t.TempDir()
			w := open(t, format, whole)
			addAll(t, w, list)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			w = open(t, format, stopped)
			wrong := sample{list[0].id, list[0].img, data.NewLabelMap(list[0].label.W, list[0].label.H)}
			addAll(t, w, []sample{wrong, list[1]}) // and no Close: the run was killed
			tear(t, stopped)
			w = open(t, format, stopped)
			var wg sync.WaitGroup
			for _, s := range slices.Backward(list) {
				if s.id == list[1].id {
					continue // done before the run was killed
				}
				wg.Go(func() {
					if err := w.Add(s.id, s.img, s.label); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree(t, whole), tree(t, stopped)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// tear appends half a line to the logs in a folder.
func tear(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, ".*.parts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		raw, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(raw), "\n")
		if err := os.WriteFile(log, append(raw, lines[1][:len(lines[1])/2]...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open("gif", dir, testClasses); err == nil || !strings.Contains(err.Error(), "png, overlay, csv, json, coco") {
		t.Errorf("unknown format: %v", err)
	}
	if _, err := OpenWith("png", dir, testClasses, Options{Opacity: 2}); err == nil {
		t.Error("opacity 2 passes")
	}
	if _, err := OpenWith("yolo", dir, testClasses, Options{Tolerance: -1}); err == nil {
		t.Error("tolerance -1 passes")
	}
	good := outlinetest.Parse("1.", ".2")
	for _, format := range Formats() {
		if Describe(format) == "" {
			t.Errorf("%s is not described", format)
		}
		w := open(t, format, dir)
		for name, err := range map[string]error{
			"wrong size": w.Add("a", image.NewNRGBA(image.Rect(0, 0, 3, 3)), good),
			"value 4":    w.Add("a", image.NewNRGBA(image.Rect(0, 0, 1, 1)), outlinetest.Parse("4")),
		} {
			if err == nil {
				t.Errorf("%s: %s passes", format, name)
			}
		}
		if err := w.Add("../../a", image.NewNRGBA(image.Rect(0, 0, 2, 2)), good); err == nil {
			t.Errorf("%s: an id leaves the folder", format)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: a second Close: %v", format, err)
		}
	}
	_, err := Open("coco", dir, data.Classes{Names: []string{"background", "dog"}})
	if err == nil || !strings.Contains(err.Error(), "other classes") {
		t.Errorf("other classes: %v", err)
	}
	if err := open(t, "overlay", dir).Add("a", nil, good); err == nil {
		t.Error("an overlay without image passes")
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	w, err := OpenWith("coco", dir, testClasses, Options{MinArea: 2, FileName: func(id string) string { return "photos/" + id + ".png" }})
	if err != nil {
		t.Fatal(err)
	}
	addAll(t, w, []sample{{"x", nil, outlinetest.Parse("11.2", "....")}})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := readBack(t, "coco", dir, []sample{{"x", nil, data.NewLabelMap(4, 2)}})["x"]
	raw, err := os.ReadFile(filepath.Join(dir, "coco.json"))
	if err != nil || !strings.Contains(string(raw), `"photos/x.png"`) {
		t.Errorf("the file's name is not in %s, error %v", raw, err)
	}
	if got == nil || !slices.Equal(got.Pix, outlinetest.Parse("11..", "....").Pix) {
		t.Errorf("%v", got)
	}
}

// A dataset's split is YOLO's too: what is to be scored is not trained on.
func TestSplit(t *testing.T) {
	dir := t.TempDir()
	split := map[string]string{"a": "val", "empty": "train", "void": "val"}
	w, err := OpenWith("yolo", dir, testClasses, Options{
		Split: func(id string) string { return split[id] },
		Photo: func(id string) string {
			path := filepath.Join(dir, id+".png")
			if err := os.WriteFile(path, []byte(id), 0o644); err != nil {
				t.Error(err)
			}
			return path
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples() {
		if split[s.id] != "" {
			addAll(t, w, []sample{s})
		}
	}
	for id, name := range split {
		for _, file := range []string{"images/" + name + "/" + id + ".png", "labels/" + name + "/" + id + ".txt"} {
			if _, err := os.Stat(filepath.Join(dir, "yolo", file)); err != nil {
				t.Error(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 32, 24))
	for i := range img.Pix {
		img.Pix[i] = 100
	}
	m := data.NewLabelMap(32, 24)
	for y := 4; y < 20; y++ {
		for x := 8; x < 24; x++ {
			m.Set(x, y, 2) // (0, 128, 0)
		}
	}
	over := Overlay(img, m, 0.5)
	for at, want := range map[image.Point][4]uint8{
		{X: 0, Y: 0}: {100, 100, 100, 255}, {X: 16, Y: 12}: {50, 114, 50, 255}, {X: 8, Y: 12}: {0, 128, 0, 255},
	} {
		c := over.NRGBAAt(at.X, at.Y)
		if got := [4]uint8{c.R, c.G, c.B, c.A}; got != want {
			t.Errorf("pixel %v is %v, want %v", at, got, want)
		}
	}
	if img.Pix[img.PixOffset(16, 12)] != 100 {
		t.Error("the image itself was painted over")
	}
	w := open(t, "overlay", dir)
	addAll(t, w, []sample{{"a/b", img, m}})
	f, err := os.Open(filepath.Join(dir, "overlay/a/b.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := jpeg.Decode(f); err != nil || got.Bounds().Size() != img.Rect.Size() {
		t.Errorf("%v, %v", got, err)
	}
}
