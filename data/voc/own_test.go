package voc

import (
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
)

// own writes a data set of photos of 64×48, texts, and masks in which the
// pixels 10..29 of both sides have a colour.
func own(t *testing.T, photos []string, texts map[string]string, masks map[string]color.Color) string {
	t.Helper()
	root := t.TempDir()
	file := func(name string, write func(f *os.File) error) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err == nil {
			err = errors.Join(write(f), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range photos {
		file(name, func(f *os.File) error { return jpeg.Encode(f, image.NewGray(image.Rect(0, 0, 64, 48)), nil) })
	}
	for name, text := range texts {
		file(name, func(f *os.File) error { _, err := f.WriteString(text); return err })
	}
	for name, c := range masks {
		m := image.NewRGBA(image.Rect(0, 0, 64, 48))
		for y := range 48 {
			for x := range 64 {
				m.Set(x, y, color.Black)
				if x >= 10 && x < 30 && y >= 10 && y < 30 {
					m.Set(x, y, c)
				}
			}
		}
		file(name, func(f *os.File) error { return png.Encode(f, m) })
	}
	return root
}

// bolt is an object with the box of pixels 10..29.
const bolt = "<annotation><object><name>bolt</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>30</xmax><ymax>30</ymax></bndbox></object></annotation>"

// TestOwnData opens data in VOC's layout as other tools write it; each has the
// same box, and the masks the same pixels.
func TestOwnData(t *testing.T) {
	labelmap := "# label:color_rgb:parts:actions\nbackground:0,0,0::\nbolt:250,50,83::\nnut:51,221,255::\n"
	cvatRed := color.RGBA{250, 50, 83, 255}
	for _, tc := range []struct {
		name    string
		photos  []string
		texts   map[string]string
		masks   map[string]color.Color
		options map[string]any
		split   string
		ids     []string
		classes []string
		fault   string
	}{
		{"upper case", []string{"JPEGImages/IMG_2.JPG"}, map[string]string{"ImageSets/Segmentation/train.txt": "IMG_2\n", "Annotations/IMG_2.xml": bolt},
			map[string]color.Color{"SegmentationClass/IMG_2.PNG": color.RGBA{128, 0, 0, 255}}, nil, "train", []string{"IMG_2"}, []string{"background", "bolt"}, ""},
		{"CVAT", []string{"JPEGImages/cam1/a.jpg"}, map[string]string{"ImageSets/Segmentation/default.txt": "cam1/a\n", "Annotations/cam1/a.xml": bolt, "labelmap.txt": labelmap},
			map[string]color.Color{"SegmentationClass/cam1/a.png": cvatRed}, nil, "default", []string{"cam1/a"}, []string{"background", "bolt", "nut"}, ""},
		{"lists of Main", []string{"JPEGImages/a.jpeg"}, map[string]string{"ImageSets/Main/train.txt": "a\n", "ImageSets/Main/bolt_train.txt": "a -1\n", "Annotations/a.xml": bolt},
			map[string]color.Color{"SegmentationClass/a_mask.png": color.RGBA{128, 0, 0, 255}}, nil, "train", []string{"a"}, []string{"background", "bolt"}, ""},
		{"no lists", []string{"JPEGImages/x/a.jpg"}, map[string]string{"Annotations/x/a.xml": bolt, "classes.txt": "background\nbolt\n"},
			map[string]color.Color{"SegmentationClass/x/a.jpg.png": color.Gray{1}}, nil, "all", []string{"x/a"}, []string{"background", "bolt"}, ""},
		{"names in another case", []string{"JPEGImages/a.jpg"}, map[string]string{"Annotations/a.xml": strings.Replace(bolt, "bolt", "Bolt", 1)},
			map[string]color.Color{"SegmentationClass/a.png": color.White}, map[string]any{"classes": []any{"bolt"}, "binary_masks": true}, "all", []string{"a"}, []string{"background", "bolt"}, ""},
		{"other colours", []string{"JPEGImages/a.jpg"}, map[string]string{"Annotations/a.xml": bolt},
			map[string]color.Color{"SegmentationClass/a.png": cvatRed}, map[string]any{"colours": map[string]any{"bolt": "#fa3253"}}, "all", []string{"a"}, []string{"background", "bolt"}, ""},
		{"size of another photo", []string{"JPEGImages/a.jpg"}, map[string]string{"Annotations/a.xml": strings.Replace(bolt, "<object>", "<size><width>128.0</width><height>96</height></size><object>", 1)},
			map[string]color.Color{"SegmentationClass/a.png": color.RGBA{128, 0, 0, 255}}, nil, "all", []string{"a"}, []string{"background", "bolt"}, "the image is 128×96 for the file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds, err := data.Open("voc", data.Options{Root: own(t, tc.photos, tc.texts, tc.masks), Seed: 1, Extra: tc.options})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.classes, ds.Classes().Names); diff != "" {
				t.Errorf("classes differ:\n%s", diff)
			}
			ids, err := ds.IDs(tc.split)
			if diff := cmp.Diff(tc.ids, ids); err != nil || diff != "" || len(ds.Splits()) != 1 {
				t.Fatalf("error %v, splits %v, ids differ:\n%s", err, ds.Splits(), diff)
			}
			s, err := ds.Load(ids[0], data.WantAll)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]data.Box{{X0: 10, Y0: 10, X1: 30, Y1: 30, Class: 1}}, s.Weak.Boxes); diff != "" {
				t.Errorf("boxes differ:\n%s", diff)
			}
			area := 0
			for _, v := range s.Truth.Pix {
				area += int(v)
			}
			if area != 400 {
				t.Errorf("the mask has %d pixels of class 1, want 400", area)
			}
			faults := ds.(data.Faulty).Faults(ids[0])
			if (len(faults) > 0) != (tc.fault != "") || tc.fault != "" && !strings.Contains(faults[0].Message, tc.fault) {
				t.Errorf("faults %v, want one with %q", faults, tc.fault)
			}
		})
	}
}

// TestObjectsWithoutBox: an image of whose objects none has a box has tags
// only, and boxes without a name are an error.
func TestObjectsWithoutBox(t *testing.T) {
	root := own(t, []string{"JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/c.jpg"}, map[string]string{
		"Annotations/a.xml": "<annotation><object><name>bolt</name></object></annotation>",
		"Annotations/b.xml": strings.Replace(bolt, "<name>bolt</name>", "", 1),
	}, nil)
	ds, err := data.Open("voc", data.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ds.Load("a", data.WantWeak)
	if diff := cmp.Diff(&data.Sample{ID: "a", Weak: data.WeakLabels{Tags: []int{1}}}, s); err != nil || diff != "" {
		t.Errorf("error %v, sample differs:\n%s", err, diff)
	}
	if f := ds.(data.Faulty).Faults("a"); len(f) != 1 || !strings.Contains(f[0].Message, `a.xml: object 1 ("bolt") has no bndbox`) {
		t.Errorf("faults %v", f)
	}
	if _, err := ds.Load("b", data.WantWeak); err == nil || !strings.Contains(err.Error(), "b.xml: ") || !strings.Contains(err.Error(), "object 1 has no name") {
		t.Errorf("error %v", err)
	}
	if s, err := ds.Load("c", data.WantWeak); err != nil || s.Weak.Tags != nil || s.Weak.Boxes != nil {
		t.Errorf("an image without a file: %+v, error %v", s, err)
	}
}
