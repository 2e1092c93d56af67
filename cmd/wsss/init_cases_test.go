package main

import (
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/cmd/pipeline/starter"
	"wsss/data"
	"wsss/data/annotation/annotationtest"
	"wsss/data/datatest"
	"wsss/models/manifest"
)

// Classes come from the files, whatever they are called; splits are those that
// are there, and what is missing is said.
func TestInitOwnClasses(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	photos := annotationtest.Photos(5)
	const voc = `<annotation><size><width>48</width><height>40</height><depth>3</depth></size>
<object><name>bolt</name><bndbox><xmin>5.0</xmin><ymin>6.0</ymin><xmax>22.0</xmax><ymax>25.0</ymax></bndbox></object></annotation>`
	coco := func(file string) func(w *annotationtest.Writer) {
		return func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("images/"+p.Name+".png", p)
			}
			w.COCO(file, photos, func(p annotationtest.Photo) string { return p.Name + ".png" }, 1, true)
		}
	}
	for _, c := range []struct {
		name         string
		write        func(w *annotationtest.Writer)
		flags        []string
		config, said []string
	}{
		{"a COCO file for training alone", coco("annotations/instances_train.json"), nil,
			[]string{`names = ["background", "bolt", "nut"]`, `format = "coco"`, `val_fraction = 0.2`, `labels = "truth"`},
			[]string{"a fifth of the training images", "classes bolt, nut", `for labels made from boxes instead`}},
		{"CVAT's name of it", coco("annotations/instances_default.json"), nil,
			[]string{`names = ["background", "bolt", "nut"]`, `val_fraction = 0.2`}, nil},
		{"some of its classes", coco("annotations/instances_default.json"), []string{"-classes", "nut"},
			[]string{`names = ["background", "nut"]`}, []string{`4 labels that are left out: "bolt" is not among -classes`}},
		{"VOC's layout, names of its own", func(w *annotationtest.Writer) {
			w.Photo("JPEGImages/a.png", photos[0])
			w.Mask("SegmentationClass/a.png", photos[0])
			w.Text("ImageSets/Segmentation/train.txt", "a\n")
			w.Text("Annotations/a.xml", voc)
		}, nil, []string{`kind = "voc"`, `classes = ["bolt"]`, `val_split = "train"`}, []string{"scores are of the training images"}},
		{"a list for training, others beside it", func(w *annotationtest.Writer) {
			for _, p := range photos[:4] {
				w.Photo("images/"+p.Name+".png", p)
			}
			w.Text("classes.txt", "background\nbolt\nnut\n")
			w.Text("splits/train.txt", "photo_00\nphoto_02\n")
		}, []string{"-weak", "none"}, []string{`train_split = "train"`, `val_split = "rest"`}, []string{"those that are in no list serve"}},
		{"a list for validation of all", func(w *annotationtest.Writer) {
			for _, p := range photos[:2] {
				w.Photo("images/"+p.Name+".png", p)
			}
			w.Text("classes.txt", "background\nbolt\nnut\n")
			w.Text("splits/val.txt", "photo_00\nphoto_01\n")
		}, []string{"-weak", "none"}, []string{`train_split = "all"`, `val_split = "val"`}, []string{"trained on what it is scored on"}},
		{"a list for training of all", func(w *annotationtest.Writer) {
			for _, p := range photos[:2] {
				w.Photo("images/"+p.Name+".png", p)
			}
			w.Text("classes.txt", "background\nbolt\nnut\n")
			w.Text("splits/train.txt", "photo_00\nphoto_01\n")
		}, nil, []string{`val_split = "val"`, `val_fraction = 0.2`}, nil},
		{"masks alone", func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("images/"+p.Name+".png", p)
				w.Mask("masks/"+p.Name+".png", p)
			}
			w.Text("classes.txt", "background\nbolt\nnut\n")
		}, nil, []string{`labels = "truth"`, `boxes = "masks"`, `weak = "boxes"`}, []string{"trained on the masks"}},
		{"masks that nobody named, in a folder of another name", func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("photos/"+p.Name+".png", p)
				w.Mask("ground truth/"+p.Name+"_mask.png", p)
			}
		}, nil, []string{`images = "photos"`, `masks = "ground truth"`, `names = ["background", "class_1", "class_2"]`, `labels = "truth"`}, []string{"which nobody named"}},
		{"masks of 0 and 255", func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("images/"+p.Name+".png", p)
				w.MaskOf("masks/"+p.Name+".png", p, func(v uint8) uint8 { return -min(v, 1) })
			}
		}, nil, []string{`names = ["background", "object"]`, `binary_masks = true`, `labels = "truth"`}, []string{"taken for background and one class"}},
		{"RGB masks of colours that nobody named", func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("images/"+p.Name+".png", p)
				w.RGBMask("masks/"+p.Name+".png", p, [][3]uint8{{}, {200, 30, 30}, {10, 220, 40}})
			}
		}, nil, []string{`colours = {class_1 = "#0adc28", class_2 = "#c81e1e"}    # of the masks`, `names = ["background", "class_1", "class_2"]`, `labels = "truth"`}, []string{"2 colours that nobody named"}},
		{"a tool's labels beside masks and a table", func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("images/"+p.Name+".png", p)
				w.MaskOf("masks/"+p.Name+".png", p, func(v uint8) uint8 { return [3]uint8{0, 2, 1}[v] })
			}
			w.COCO("boxes.json", photos, func(p annotationtest.Photo) string { return p.Name + ".png" }, 1, false)
			w.Text("classes.txt", "background\nnut\nbolt\n")
		}, nil, []string{`names = ["background", "nut", "bolt"]`, `labels = "truth"`, `format = "coco"`}, nil},
		{"points from masks", func(w *annotationtest.Writer) {
			for _, p := range photos {
				w.Photo("images/"+p.Name+".png", p)
				w.Mask("masks/"+p.Name+".png", p)
			}
			w.Text("classes.txt", "background\nbolt\nnut\n")
		}, []string{"-weak", "points"}, []string{`points = "masks"`, `weak = "points"`}, []string{"labels from points"}},
		{"photos and nothing else", func(w *annotationtest.Writer) { w.Photo("a.png", photos[0]) }, []string{"-classes", "cat, dog"},
			[]string{`names = ["background", "cat", "dog"]`, `weak = "none"`, `method = "grounded-sam"`}, []string{"wsss models pull mobile-sam gdino-tiny", "names of the classes alone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			root, config := filepath.Join(dir, "mine"), filepath.Join(dir, "c.toml")
			c.write(annotationtest.NewWriter(t, root))
			text := capture(t, func() {
				if code := dispatch(t.Context(), append(append([]string{"init", "-out", config}, c.flags...), root)); code != exitOK {
					t.Fatalf("exit code %d", code)
				}
				if code := dispatch(t.Context(), []string{"data", "validate", "-config", config, "-quiet"}); code != exitOK {
					t.Errorf("validate: exit code %d", code)
				}
			})
			toml, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.config {
				if !strings.Contains(string(toml), want) {
					t.Errorf("the config lacks %q:\n%s", want, toml)
				}
			}
			for _, want := range c.said {
				if !strings.Contains(text, want) {
					t.Errorf("the output lacks %q:\n%s", want, text)
				}
			}
		})
	}
}

// Photos of which nothing is known: init says what would help.
func TestInitNoLabels(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	dir := t.TempDir()
	annotationtest.NewWriter(t, dir).Photo("mine/a.png", annotationtest.Photos(1)[0])
	_, err := starter.New(filepath.Join(dir, "mine"), "folder", "", nil)
	if err == nil || !strings.Contains(err.Error(), `wsss init -classes "cat,dog"`) || strings.Contains(err.Error(), "data.options") {
		t.Errorf("error %v", err)
	}
}

// A class that no config can name is told before one is written.
func TestInitUnwritableClass(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	root := filepath.Join(t.TempDir(), "mine")
	w := annotationtest.NewWriter(t, root)
	w.Photo("a.png", annotationtest.Photos(1)[0])
	w.Text("tags.csv", "image,class\na,\"d;e\"\n")
	_, err := starter.New(root, "folder", "", nil)
	if err == nil || !strings.Contains(err.Error(), `"d;e"`) || !strings.Contains(err.Error(), "rename it there") {
		t.Errorf("error %v", err)
	}
}

// With names for masks of colours that nobody named, init says where the two
// come together, and that works.
func TestInitNamesForColours(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	root := filepath.Join(t.TempDir(), "mine")
	w := annotationtest.NewWriter(t, root)
	for _, p := range annotationtest.Photos(3) {
		w.Photo("images/"+p.Name+".png", p)
		w.RGBMask("masks/"+p.Name+".png", p, [][3]uint8{{}, {200, 30, 30}, {10, 220, 40}})
	}
	if _, err := starter.New(root, "folder", "", []string{"bolt", "nut"}); err == nil || !strings.Contains(err.Error(), filepath.Join(root, "labelmap.txt")) {
		t.Errorf("error %v", err)
	}
	w.Text("labelmap.txt", "nut:10,220,40::\nbolt:200,30,30::\n")
	for _, names := range [][]string{nil, {"bolt", "nut"}} {
		if s, err := starter.New(root, "folder", "", names); err != nil || s.Masks == 0 || !s.Supervised {
			t.Errorf("-classes %v: %v", names, err)
		}
	}
}

// TestInitMasksOnly: a folder in VOC's layout with masks and no other label is
// trained on its masks.
func TestInitMasksOnly(t *testing.T) {
	root := filepath.Join(t.TempDir(), "cvat")
	write := func(name, text string) {
		path := filepath.Join(root, name)
		datatest.Write(t, path, text)
	}
	write("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nbolt:128,0,0::\n")
	write("ImageSets/Segmentation/default.txt", "a\n")
	m := data.NewLabelMap(40, 32)
	m.Set(3, 3, 1)
	if err := data.WriteLabelMap(filepath.Join(root, "SegmentationClass", "a.png"), m); err != nil {
		t.Fatal(err)
	}
	photo, err := os.Create(filepath.Join(root, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer photo.Close()
	if err := errors.Join(png.Encode(photo, image.NewNRGBA(image.Rect(0, 0, 40, 32))), os.MkdirAll(filepath.Join(root, "JPEGImages"), 0o755),
		os.Rename(filepath.Join(root, "a.png"), filepath.Join(root, "JPEGImages", "a.png"))); err != nil {
		t.Fatal(err)
	}
	s, err := starter.New(root, "voc", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Supervised || s.Masks != 1 || len(s.Models) != 0 {
		t.Errorf("supervised %t, %d masks, models %v", s.Supervised, s.Masks, s.Models)
	}
}
