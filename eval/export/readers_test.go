package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/datatest"
	"wsss/data/outline/outlinetest"
)

// readers runs a function of testdata/readers.py on a folder.
func readers(t *testing.T, tool, dir string) {
	t.Helper()
	python := os.Getenv("WSSS_TOOLS")
	if python == "" {
		t.Skip("the labelling tools' own readers are not installed: `make tools` does, and sets WSSS_TOOLS")
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/readers.py", tool, dir)
	cmd.Env = append(os.Environ(), "YOLO_OFFLINE=true", "YOLO_CONFIG_DIR="+t.TempDir(), "MPLCONFIGDIR="+t.TempDir(), "QT_QPA_PLATFORM=offscreen")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, out)
	}
	t.Logf("%s", bytes.TrimSpace(out))
}

// photographed writes photos and label maps of large regions, one with void and
// one that holds nothing, and the list of classes.
func photographed(t *testing.T, dir string) ([]sample, func(id string) string) {
	t.Helper()
	photo := func(id string) string { return filepath.Join(dir, "photos", filepath.FromSlash(id)+".png") }
	var list []sample
	for i, id := range []string{"a", "sub folder/b", "sub folder/deep/c", "empty", "d", "e", "f", "g"} {
		m := outlinetest.Random(uint64(i), 61+7*i, 43, 4, 12)
		if id == "empty" {
			m = data.NewLabelMap(20, 12)
		}
		img := image.NewNRGBA(image.Rect(0, 0, m.W, m.H))
		for at := range img.Pix {
			img.Pix[at] = uint8(at*7) | uint8(at%4/3*255)
		}
		img.SetNRGBA(0, 0, color.NRGBA{uint8(i), 0, 0, 255})
		list = append(list, sample{id, img, m})
		if err := data.WriteLabelMap(filepath.Join(dir, "masks", filepath.FromSlash(id)+".png"), m); err != nil {
			t.Fatal(err)
		}
		writePNG(t, photo(id), img)
	}
	datatest.Write(t, filepath.Join(dir, "classes.txt"), strings.Join(testClasses.Names, "\n")+"\n")
	return list, photo
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, path, b.String())
}

// The tools' own readers see in our files the pixels that were written.
func TestToolsReaders(t *testing.T) {
	for _, c := range []struct {
		tool    string
		formats []string
	}{
		{"pycocotools", []string{"coco"}},
		{"labelme", []string{"labelme"}},
		{"ultralytics", []string{"yolo"}},
		{"datumaro", []string{"coco", "cvat", "yolo"}},
		{"labelstudio", []string{"labelstudio"}},
	} {
		t.Run(c.tool, func(t *testing.T) {
			dir := t.TempDir()
			list, photo := photographed(t, dir)
			name := func(id string) string { return id + ".png" }
			var ids []string
			for _, s := range list {
				ids = append(ids, s.id)
			}
			for _, format := range c.formats {
				w, err := OpenWith(format, filepath.Join(dir, "out"), testClasses, Options{FileName: name, Photo: photo, IDs: ids})
				if err != nil {
					t.Fatal(err)
				}
				addAll(t, w, list)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			readers(t, c.tool, dir)
			if c.tool != "labelstudio" {
				return
			}
			back := readBack(t, "labelstudio", filepath.Join(dir, "brushes"), list)
			for _, s := range list {
				if want := outlinetest.WithoutVoid(s.label); back[s.id] == nil || !slices.Equal(back[s.id].Pix, want.Pix) {
					t.Errorf("%s: a brush of label-studio-sdk is read differently", s.id)
				}
			}
		})
	}
}

// Boxes, also such as reach out of the photo, are what yolo train takes.
func TestYOLOBoxes(t *testing.T) {
	dir := t.TempDir()
	photo := func(id string) string { return filepath.Join(dir, "photos", id+".png") }
	w, err := annotation.Create("yolo", annotation.Target{Dir: filepath.Join(dir, "out"), Classes: testClasses, Photo: photo})
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string][][5]float32{}
	for i := range 8 {
		id := fmt.Sprint("p", i)
		img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
		writePNG(t, photo(id), img)
		im := &annotation.Image{ID: id, W: 40, H: 30}
		for _, b := range []data.Box{{X0: 1, Y0: 2, X1: 9.5, Y1: 30, Class: 1}, {X0: -3, Y0: -2, X1: 44, Y1: 31, Class: 3}, {X0: float32(i), Y0: 4, X1: 39, Y1: 5, Class: 2}} {
			im.Objects = append(im.Objects, annotation.Object{Box: b})
			whole[id] = append(whole[id], [5]float32{float32(b.Class), max(b.X0, 0), max(b.Y0, 0), min(b.X1, 40), min(b.Y1, 30)})
		}
		if err := w.Add(im); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, filepath.Join(dir, "boxes.json"), string(raw))
	datatest.Write(t, filepath.Join(dir, "classes.txt"), strings.Join(testClasses.Names, "\n")+"\n")
	readers(t, "boxes", dir)
}
