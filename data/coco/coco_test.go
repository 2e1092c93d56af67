package coco

import (
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/weak"
)

func open(t *testing.T, root string, options map[string]any) data.Dataset {
	t.Helper()
	ds, err := data.Open("coco", data.Options{Root: root, Seed: 1, Extra: options})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// small has, in file order, a polygon person, a run-length cat over it, a crowd
// of dogs in compressed form, and a car whose outline is a line.
const small = `{"info": {"year": 2014, "x": [1, "]}"]},
 "annotations": [
  {"id": 1, "image_id": 9, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 4, 3], "area": 12,
   "segmentation": [[0,0, 4,0, 4,3, 0,3]]},
  {"id": 2, "image_id": 9, "category_id": 17, "iscrowd": 0, "bbox": [3, 1, 9, 1.5],
   "segmentation": {"size": [4, 6], "counts": [13, 2, 2, 2, 5]}},
  {"id": 3, "image_id": 9, "category_id": 18, "iscrowd": 1, "bbox": [0, 0, 6, 4],
   "segmentation": {"size": [4, 6], "counts": "%s"}},
  {"id": 4, "image_id": 9, "category_id": 3, "iscrowd": 0, "bbox": [2, 2, 1.03, 0], "segmentation": [[2, 2, 3.03, 2, 2.5, 2]]}
 ],
 "images": [{"id": 9, "file_name": "COCO_train2014_000000000009.jpg", "width": 6, "height": 4},
            {"id": 10, "file_name": "COCO_train2014_000000000010.jpg", "width": 2, "height": 2}],
 "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}, {"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]}`

const first = "COCO_train2014_000000000009"

// tree writes a COCO 2014 folder of two images.
func tree(t *testing.T) string {
	root := t.TempDir()
	crowd := data.RLE{W: 6, H: 4, Counts: []uint32{20, 4}}
	datatest.Write(t, filepath.Join(root, "annotations/instances_train2014.json"), fmt.Sprintf(small, crowd.COCOString()))
	var b strings.Builder
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 6, 4)), nil); err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, filepath.Join(root, "train2014", first+".jpg"), b.String())
	datatest.Write(t, filepath.Join(root, "lists/train.txt"), first+" 0 16\n")
	datatest.Write(t, filepath.Join(root, "points.json"), `{"9": [{"x": 1, "y": 1, "cls": 16}]}`)
	return root
}

func TestPaintedTruth(t *testing.T) {
	root := tree(t)
	for _, tc := range []struct {
		crowd string
		want  []uint8
	}{
		{"skip", []uint8{
			1, 1, 1, 1, 0, 0,
			1, 1, 1, 16, 16, 0,
			1, 1, 1, 16, 16, 0,
			0, 0, 0, 0, 0, 0,
		}},
		{"void", []uint8{
			1, 1, 1, 1, 0, 255,
			1, 1, 1, 16, 16, 255,
			1, 1, 1, 16, 16, 255,
			0, 0, 0, 0, 0, 255,
		}},
	} {
		s, err := open(t, root, map[string]any{"crowd": tc.crowd}).Load(first, data.WantTruth|data.WantImage)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, s.Truth.Pix); diff != "" {
			t.Errorf("crowd %s: mask %v", tc.crowd, s.Truth.Pix)
		}
		if s.Image.Rect.Size() != s.Truth.Size() {
			t.Errorf("image %v, mask %v", s.Image.Rect, s.Truth.Size())
		}
	}
}

func TestSplits(t *testing.T) {
	root := tree(t)
	ds := open(t, root, map[string]any{"lists": "lists"})
	for split, want := range map[string][]string{"train2014": {first}, "train": {first}} {
		ids, err := ds.IDs(split)
		if diff := cmp.Diff(want, ids); err != nil || diff != "" {
			t.Errorf("%s: error %v, ids differ:\n%s", split, err, diff)
		}
	}
	if ids, err := open(t, root, map[string]any{"unannotated": true}).IDs("train2014"); err != nil || len(ids) != 2 {
		t.Errorf("%d ids with those without annotations, error %v: want 2", len(ids), err)
	}
	empty := tree(t)
	datatest.Write(t, filepath.Join(empty, "annotations/instances_val2014.json"), `{"images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}], "annotations": [], "categories": []}`)
	if _, err := open(t, empty, nil).IDs("val2014"); err == nil || !strings.Contains(err.Error(), "no annotation in 1 image,") || !strings.Contains(err.Error(), "data.options.unannotated") {
		t.Errorf("a file without annotations: error %v", err)
	}
	if _, err := ds.IDs("val"); !errors.As(err, new(*data.SplitError)) || err.Error() != root+`: split "val" is unknown: allowed are train, train2014` {
		t.Errorf("error %v does not name the splits", err)
	}
}

func TestWeakLabels(t *testing.T) {
	root := tree(t)
	for _, tc := range []struct {
		name    string
		options map[string]any
		want    data.WeakLabels
	}{
		{"instances", nil, data.WeakLabels{Tags: []int{1, 3, 16}, Boxes: []data.Box{
			{X1: 4, Y1: 3, Class: 1}, {X0: 3, Y0: 1, X1: 6, Y1: 2.5, Class: 16}, {X1: 6, Y1: 4, Class: 17, Crowd: true},
			{X0: 2, Y0: 2, X1: 3.03, Y1: 3, Class: 3},
		}}},
		{"files", map[string]any{"tags": "lists/train.txt", "points": "points.json", "boxes": "none"}, data.WeakLabels{
			Tags: []int{1, 17}, Points: []data.Point{{X: 1, Y: 1, Class: 16}},
		}},
		{"masks", map[string]any{"tags": "masks", "boxes": "none"}, data.WeakLabels{Tags: []int{1, 16}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := open(t, root, tc.options).Load(first, data.WantWeak)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, s.Weak); diff != "" {
				t.Errorf("labels differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConcurrentLoad asks for everything at once, before anything is scanned.
func TestConcurrentLoad(t *testing.T) {
	ds := open(t, tree(t), map[string]any{"points": "points.json", "tags": "lists/train.txt", "scribbles": "masks", "lists": "lists"})
	var group sync.WaitGroup
	got := make([]*data.Sample, 16)
	for i := range got {
		group.Go(func() {
			var err error
			if got[i], err = ds.Load(first, data.WantAll); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, s := range got[1:] {
		if diff := cmp.Diff(got[0], s); diff != "" {
			t.Errorf("samples differ:\n%s", diff)
		}
	}
}

// TestPreparedMasks finds masks by file name, in split folders and by number,
// without any instances file.
func TestPreparedMasks(t *testing.T) {
	root := t.TempDir()
	datatest.Write(t, filepath.Join(root, "lists/train.txt"), "COCO_train2014_000000000009 0\n")
	for path, v := range map[string]uint8{
		"masks/train2014/COCO_train2014_000000000009.png": 80, "masks/25.png": 3, "masks/000000000030.png": 81,
	} {
		if err := data.WriteLabelMap(filepath.Join(root, path), &data.LabelMap{W: 2, H: 1, Pix: []uint8{0, v}}); err != nil {
			t.Fatal(err)
		}
	}
	ds := open(t, root, map[string]any{"masks": "masks", "lists": "lists"})
	for id, want := range map[string]uint8{first: 80, "COCO_train2014_000000000025": 3} {
		s, err := ds.Load(id, data.WantTruth)
		if err != nil || s.Truth.Pix[1] != want {
			t.Errorf("%s: %+v, error %v: want %d", id, s, err, want)
		}
	}
	_, err := ds.Load("000000000030", data.WantTruth)
	if want := filepath.Join(root, "masks/000000000030.png") + ": pixel (1,0) has value 81: allowed are 0..80 and 255"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if _, err = ds.Load("7", data.WantTruth); !errors.Is(err, data.ErrNoTruth) {
		t.Errorf("error %v is not ErrNoTruth", err)
	}
	if err := data.CheckWeak(ds, data.WeakBoxes); err == nil || !strings.Contains(err.Error(), "set data.options.boxes to") {
		t.Errorf("error %v does not name the option", err)
	}
}

func TestOpenErrors(t *testing.T) {
	root := tree(t)
	for _, tc := range []struct {
		name, root string
		options    map[string]any
		err        string
	}{
		{"no root", "", nil, "data.root is empty: COCO comes as train2014.zip"},
		{"empty root", t.TempDir(), nil, "no annotations/instances_*.json nor another annotation file of COCO's form"},
		{"crowd", root, map[string]any{"crowd": "yes"}, `data.options.crowd = "yes": allowed are "skip" and "void"`},
		{"key", root, map[string]any{"mask": "x"}, "unknown key mask"},
		{"folder", root, map[string]any{"masks": "m"}, "data.options.masks: no folder"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := data.Open("coco", data.Options{Root: tc.root, Extra: tc.options})
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
		})
	}
}

// TestRealPhotos opens fifty photos of COCO 2017 and the annotations of fifty
// more. The published tags must be what shows in the painted masks: CLIP-ES's
// lists come from masks in which later objects overwrite earlier ones.
func TestRealPhotos(t *testing.T) {
	root := datatest.Path(t, "tiny_coco")
	ds := open(t, root, map[string]any{"tags": "masks"})
	published := map[string][]int{}
	for _, name := range []string{"train", "val"} {
		rows, err := weak.ReadList(datatest.Path(t, "coco_lists", "clip-es", "coco14", name+".txt"), ds.Classes().Len())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			published[imageNumber(r.ID)] = r.Tags
		}
	}
	compared := 0
	for _, split := range []string{"train2017", "val2017"} {
		ids, err := ds.IDs(split)
		if err != nil || len(ids) == 0 || len(ids) > 50 {
			t.Fatalf("%s: %d ids, error %v", split, len(ids), err)
		}
		for _, id := range ids {
			want := data.WantTruth | data.WantWeak
			if split == "train2017" {
				want |= data.WantImage
			}
			s, err := ds.Load(id, want)
			if err != nil {
				t.Fatal(err)
			}
			if s.Image != nil && s.Image.Rect.Size() != s.Truth.Size() {
				t.Errorf("%s: image %v, mask %v", id, s.Image.Rect.Size(), s.Truth.Size())
			}
			if tags, ok := published[imageNumber(id)]; ok {
				compared++
				if diff := cmp.Diff(tags, s.Weak.Tags); diff != "" {
					t.Errorf("%s: tags differ from the published ones (-published +got):\n%s", id, diff)
				}
			}
		}
	}
	t.Logf("%d images compared", compared)
	if compared < 90 {
		t.Errorf("only %d images are in the published lists", compared)
	}
}

// TestOthers: with others = "skip" objects of categories beside the classes are
// neither tags nor boxes nor in masks, and those of the classes are as before.
func TestOthers(t *testing.T) {
	root := datatest.Path(t, "tiny_coco")
	all := open(t, root, nil)
	some := open(t, root, map[string]any{"classes": []string{"sink", "person"}, "others": "skip"})
	ids, err := some.IDs("train2017")
	if err != nil || len(ids) == 0 {
		t.Fatal(ids, err)
	}
	label := map[int]int{all.Classes().Find("sink"): 1, all.Classes().Find("person"): 2}
	for _, id := range ids {
		a, err := all.Load(id, data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		b, err := some.Load(id, data.WantTruth|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		var want []int
		for _, box := range a.Weak.Boxes {
			if l := label[box.Class]; l > 0 {
				want = append(want, l)
			}
		}
		var got []int
		for _, box := range b.Weak.Boxes {
			got = append(got, box.Class)
		}
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: boxes of %v, want %v", id, got, want)
		}
		for _, v := range b.Truth.Pix {
			if v > 2 {
				t.Fatalf("%s: value %d in the mask", id, v)
			}
		}
	}
	refused := open(t, root, map[string]any{"classes": []string{"sink", "person"}})
	if _, err := refused.IDs("train2017"); err == nil || !strings.Contains(err.Error(), `data.options.others = "skip"`) {
		t.Errorf("without others: %v", err)
	}
	if _, err := data.Open("coco", data.Options{Root: root, Extra: map[string]any{"others": "void"}}); err == nil || !strings.Contains(err.Error(), `allowed are "error" and "skip"`) {
		t.Errorf("others = void: %v", err)
	}
}

// TestClassOrder checks the class table against COCO's own categories.
func TestClassOrder(t *testing.T) {
	var file struct{ Categories []struct{ Name string } }
	datatest.JSON(t, datatest.Path(t, "tiny_coco", "annotations", "instances_val2017.json"), &file)
	var names []string
	for _, c := range file.Categories {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, ClassNames) {
		t.Errorf("class table differs from the file's:\n%s", cmp.Diff(names, ClassNames))
	}
}
