package voc

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
)

func writeJPEG(t *testing.T, path string, w, h int) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	img.SetGray(1, 1, color.Gray{200})
	var b strings.Builder
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, path, b.String())
}

func writeMask(t *testing.T, path string, pix ...uint8) {
	t.Helper()
	m := &data.LabelMap{W: 5, H: 4, Pix: append(pix, make([]uint8, 20-len(pix))...)}
	if err := data.WriteLabelMap(path, m); err != nil {
		t.Fatal(err)
	}
}

const objectXML = `<annotation><size><width>5</width><height>4</height></size>
<object><name>dog</name><difficult>1</difficult><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>5</xmax><ymax>3</ymax></bndbox></object></annotation>`

const scribbles = `<annotation><size><width>5</width><height>4</height></size>
<polygon><tag>dog</tag><point><X>5</X><Y>1</Y></point><point><X>3</X><Y>4</Y></point></polygon></annotation>`

// tree writes a VOC folder with every kind of file. Image a has a VOC mask, b
// one of SegmentationClassAug, c one of SBD, d none, e a bad one.
func tree(t *testing.T) string {
	root := t.TempDir()
	for _, id := range []string{"2007_000001", "b", "d", "e"} {
		writeJPEG(t, filepath.Join(root, "JPEGImages", id+".jpg"), 5, 4)
	}
	writeJPEG(t, filepath.Join(root, "sbd/img/c.jpg"), 5, 4)
	writeMask(t, filepath.Join(root, "SegmentationClass/2007_000001.png"), 12, 12, 255)
	writeMask(t, filepath.Join(root, "SegmentationObject/2007_000001.png"), 1, 2, 255)
	writeMask(t, filepath.Join(root, "SegmentationClassAug/2007_000001.png"), 1)
	writeMask(t, filepath.Join(root, "SegmentationClassAug/b.png"), 8)
	writeMask(t, filepath.Join(root, "SegmentationClassAug/e.png"), 0, 0, 0, 0, 0, 0, 21)
	raw, err := os.ReadFile("mat/testdata/sbd.mat")
	if err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, filepath.Join(root, "sbd/cls/c.mat"), string(raw))
	datatest.Write(t, filepath.Join(root, "sbd/train.txt"), "c\nb\nd\n")
	datatest.Write(t, filepath.Join(root, "sbd/val.txt"), "b\n2007_000001\n")
	datatest.Write(t, filepath.Join(root, "ImageSets/Segmentation/train.txt"), "2007_000001\n")
	datatest.Write(t, filepath.Join(root, "ImageSets/Segmentation/val.txt"), "d\n")
	datatest.Write(t, filepath.Join(root, "lists/seam.txt"), "/JPEGImages/b.jpg /SegmentationClassAug/b.png\n")
	datatest.Write(t, filepath.Join(root, "Annotations/2007_000001.xml"), objectXML)
	datatest.Write(t, filepath.Join(root, "scribbles/2007_000001.xml"), scribbles)
	datatest.Write(t, filepath.Join(root, "points.json"), `{"2007_000001": [{"x": 1, "y": 2, "cls": 12, "rank": 1}, {"x": 5, "y": 0, "cls": 12}]}`)
	datatest.Write(t, filepath.Join(root, "tags.csv"), "2007000001,dog cat\n")
	return root
}

func open(t *testing.T, root string, options map[string]any) data.Dataset {
	t.Helper()
	ds, err := data.Open("voc", data.Options{Root: root, Seed: 1, Extra: options})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestSplits(t *testing.T) {
	root := tree(t)
	ds := open(t, root, map[string]any{"sbd": "sbd", "lists": filepath.Join(root, "lists")})
	if diff := cmp.Diff([]string{"seam", "train", "train_aug", "val"}, ds.Splits()); diff != "" {
		t.Errorf("splits differ (-want +got):\n%s", diff)
	}
	for split, want := range map[string][]string{
		"seam": {"b"}, "train": {"2007_000001"}, "val": {"d"}, "train_aug": {"2007_000001", "b", "c"},
	} {
		ids, err := ds.IDs(split)
		if diff := cmp.Diff(want, ids); err != nil || diff != "" {
			t.Errorf("%s: error %v, ids differ (-want +got):\n%s", split, err, diff)
		}
	}
	if _, err := ds.IDs("test"); !errors.As(err, new(*data.SplitError)) || !strings.Contains(err.Error(), `split "test" is unknown`) || !strings.Contains(err.Error(), "seam, train, train_aug, val") {
		t.Errorf("error %v does not name the splits", err)
	}
}

func TestTruth(t *testing.T) {
	root := tree(t)
	all := map[string]any{"sbd": "sbd"}
	for _, tc := range []struct {
		id      string
		options map[string]any
		pixel0  uint8
		err     string
	}{
		{"2007_000001", all, 12, ""},
		{"2007_000001", map[string]any{"masks": "SegmentationClassAug"}, 1, ""},
		{"b", all, 8, ""},
		{"c", all, 0, ""},
		{"d", all, 0, "no ground-truth mask"},
		{"b", map[string]any{"masks": "SegmentationClass"}, 0, "no ground-truth mask"},
		{"e", all, 0, filepath.Join(root, "SegmentationClassAug/e.png") + ": pixel (1,1) has value 21: allowed are 0..20 and 255"},
		{"../b", all, 0, `"../b" is no image id`},
	} {
		s, err := open(t, root, tc.options).Load(tc.id, data.WantImage|data.WantTruth)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v, want %q", tc.id, err, tc.err)
			}
			if tc.err == "no ground-truth mask" && !errors.Is(err, data.ErrNoTruth) {
				t.Errorf("%s: error %v is not ErrNoTruth", tc.id, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.id, err)
			continue
		}
		if s.Truth.Pix[0] != tc.pixel0 || s.Image.Rect.Size() != s.Truth.Size() {
			t.Errorf("%s: first pixel %d, want %d; image %v, mask %v", tc.id, s.Truth.Pix[0], tc.pixel0, s.Image.Rect, s.Truth.Size())
		}
	}
}

func TestWeakLabels(t *testing.T) {
	root := tree(t)
	dog := data.Box{X0: 1, Y0: 0, X1: 5, Y1: 3, Class: 12, Difficult: true}
	for _, tc := range []struct {
		name    string
		options map[string]any
		want    data.WeakLabels
	}{
		{"own annotations", nil, data.WeakLabels{Tags: []int{12}, Boxes: []data.Box{dog}}},
		{"files", map[string]any{"tags": "tags.csv", "boxes": "none", "points": "points.json", "scribbles": "scribbles"}, data.WeakLabels{
			Tags: []int{8, 12}, Points: []data.Point{{X: 1, Y: 2, Class: 12, Rank: 1}},
			Scribbles: []data.Scribble{{Class: 12, Points: []image.Point{{X: 4, Y: 0}, {X: 2, Y: 3}}}},
		}},
		{"base 0", map[string]any{"tags": "none", "boxes": "none", "scribbles": "scribbles", "scribble_base": 0}, data.WeakLabels{
			Scribbles: []data.Scribble{{Class: 12, Points: []image.Point{{X: 4, Y: 1}, {X: 3, Y: 3}}}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := open(t, root, tc.options).Load("2007_000001", data.WantWeak)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, s.Weak); diff != "" {
				t.Errorf("labels differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestObjectNumbers derives boxes from a mask in which two objects of a class
// touch: SegmentationObject parts them.
func TestObjectNumbers(t *testing.T) {
	root := tree(t)
	class, objects := data.NewLabelMap(12, 8), data.NewLabelMap(12, 8)
	for y := range 5 {
		for x := range 12 {
			class.Set(x, y, 12)
			objects.Set(x, y, uint8(1+x/6))
		}
	}
	for x := range 12 {
		class.Set(x, 5, data.Ignore)
		objects.Set(x, 5, data.Ignore)
	}
	for dir, m := range map[string]*data.LabelMap{"SegmentationClass": class, "SegmentationObject": objects} {
		if err := data.WriteLabelMap(filepath.Join(root, dir, "two.png"), m); err != nil {
			t.Fatal(err)
		}
	}
	s, err := open(t, root, map[string]any{"tags": "masks", "boxes": "masks"}).Load("two", data.WantWeak)
	want := data.WeakLabels{Tags: []int{12}, Boxes: []data.Box{{X1: 6, Y1: 5, Class: 12}, {X0: 6, X1: 12, Y1: 5, Class: 12}}}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Weak); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
}

// TestSBDInstances reads object numbers from SBD where VOC has none.
func TestSBDInstances(t *testing.T) {
	root := tree(t)
	raw, err := os.ReadFile("mat/testdata/int16.mat")
	if err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, filepath.Join(root, "sbd/inst/c.mat"), string(raw))
	ds := open(t, root, map[string]any{"sbd": "sbd"}).(*Dataset)
	truth, instances, err := ds.truthAndInstances("c")
	if err != nil || instances == nil || !slices.Equal(truth.Pix, instances.Pix) {
		t.Errorf("error %v, object numbers %+v: want the fixture's, equal to the classes %+v", err, instances, truth)
	}
	if _, instances, err = ds.truthAndInstances("b"); err != nil || instances != nil {
		t.Errorf("error %v, object numbers %+v: want none", err, instances)
	}
}

func TestMissingWeakSource(t *testing.T) {
	ds := open(t, tree(t), map[string]any{"points": "points.json"})
	if err := data.CheckWeak(ds, data.WeakPoints); err != nil {
		t.Error(err)
	}
	err := data.CheckWeak(ds, data.WeakScribbles)
	if err == nil || !strings.Contains(err.Error(), "set data.options.scribbles to") {
		t.Errorf("error %v does not name the option", err)
	}
}

func TestOpenErrors(t *testing.T) {
	root := tree(t)
	if err := os.MkdirAll(filepath.Join(root, "up/VOCdevkit/VOC2012/JPEGImages"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, root string
		options    map[string]any
		err        string
	}{
		{"no root", "", nil, "data.root is empty: VOC 2012 comes as VOCtrainval_11-May-2012.tar"},
		{"missing root", filepath.Join(root, "nowhere"), nil, "the folder JPEGImages is missing (kind \"folder\" takes XML files beside photos): VOC 2012 comes as"},
		{"devkit", filepath.Join(root, "up"), nil, "set data.root to " + filepath.Join(root, "up/VOCdevkit/VOC2012")},
		{"key", root, map[string]any{"mask": "x"}, "unknown key mask: allowed are tags, points, scribbles, scribble_base, boxes, colours"},
		{"escape", root, map[string]any{"tags": "../x.npy"}, "data.options.tags: path \"../x.npy\" leaves its folder"},
		{"no file", root, map[string]any{"points": "p.json"}, "data.options.points: stat"},
		{"no folder", root, map[string]any{"masks": "Seg"}, "data.options.masks: no folder"},
		{"boxes", root, map[string]any{"boxes": "b.json"}, `data.options.boxes = "b.json": allowed are "xml", "masks" and "none"`},
		{"base", root, map[string]any{"scribble_base": 2}, "scribble_base = 2: allowed are 0, 1"},
		{"sbd", root, map[string]any{"sbd": "lists"}, "lacks the folder cls"},
		{"no XML", filepath.Join(root, "up/VOCdevkit/VOC2012"), map[string]any{"tags": "xml"}, `from "xml", but the folder has no such annotations`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := data.Open("voc", data.Options{Root: tc.root, Extra: tc.options})
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
		})
	}
}

// TestRealPhotos opens 21 photos of VOC 2012 that lie without annotations.
func TestRealPhotos(t *testing.T) {
	root := datatest.Path(t, "voc_mini")
	labels := datatest.Path(t, "voc_lists", "seam", "voc12", "cls_labels.npy")
	ds := open(t, root, map[string]any{"tags": labels, "boxes": "masks", "points": "masks", "scribbles": "masks"})
	total := 0
	for _, split := range ds.Splits() {
		ids, err := ds.IDs(split)
		if err != nil {
			t.Fatal(err)
		}
		total += len(ids)
		for _, id := range ids {
			s, err := ds.Load(id, data.WantAll)
			if err != nil {
				t.Fatal(err)
			}
			if s.Image.Rect.Size() != s.Truth.Size() {
				t.Errorf("%s: image %v, mask %v", id, s.Image.Rect.Size(), s.Truth.Size())
			}
			present := s.Truth.Present()
			for c := 1; c < data.Ignore; c++ {
				if present[c] && !slices.Contains(s.Weak.Tags, c) {
					t.Errorf("%s: the mask shows %s, the published tags do not", id, ds.Classes().Name(c))
				}
			}
			if len(s.Weak.Boxes) == 0 || len(s.Weak.Points) == 0 || len(s.Weak.Scribbles) == 0 {
				t.Errorf("%s: no weak labels derived: %+v", id, s.Weak)
			}
		}
	}
	if total != 21 {
		t.Errorf("%d images, want 21", total)
	}
}

// TestOpenIsCheap opens ten thousand images whose files do not exist.
func TestOpenIsCheap(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "JPEGImages"), 0o755); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for i := range 10582 {
		fmt.Fprintln(&list, i)
	}
	datatest.Write(t, filepath.Join(root, "ImageSets/Segmentation/train_aug.txt"), list.String())
	ids, err := open(t, root, nil).IDs("train_aug")
	if err != nil || len(ids) != 10582 || ids[10581] != "10581" {
		t.Errorf("%d ids, error %v", len(ids), err)
	}
}
