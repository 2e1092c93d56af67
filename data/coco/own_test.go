package coco

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
)

// own is a file of categories of its own: one image, the given fields of its
// image and annotations.
func own(image string, annotations ...string) string {
	for i, a := range annotations {
		annotations[i] = fmt.Sprintf(`{"id": %d, "image_id": 1, "category_id": 1, %s}`, i+1, a)
	}
	return fmt.Sprintf(`{"images": [{"id": 1, %s}], "annotations": [%s], "categories": [{"id": 1, "name": "bolt"}, {"id": 2, "name": "nut"}]}`,
		image, strings.Join(annotations, ", "))
}

const (
	plainImage = `"file_name": "a.jpg", "width": 64, "height": 48`
	square     = `"segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]]`
)

var squareBox = data.Box{X0: 10, Y0: 10, X1: 30, Y1: 30, Class: 1}

// files writes a data set: photos of 64×48, and texts.
func writeFiles(t *testing.T, photos []string, texts map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range photos {
		var b strings.Builder
		img := image.NewGray(image.Rect(0, 0, 64, 48))
		img.SetGray(12, 12, color.Gray{255})
		if err := jpeg.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		datatest.Write(t, filepath.Join(root, name), b.String())
	}
	for name, text := range texts {
		datatest.Write(t, filepath.Join(root, name), text)
	}
	return root
}

const cvatFile = "annotations/instances_default.json"

// TestObjects: what objects with odd boxes and outlines become.
func TestObjects(t *testing.T) {
	damaged := `"iscrowd": 1, "segmentation": {"size": [48, 64], "counts": "~~~~"}`
	for _, tc := range []struct {
		name    string
		objects []string
		boxes   []data.Box // nil: tags only
		weak    string     // error of the weak labels
		area    int        // of the truth; -1: none
		faults  []string   // parts of messages
	}{
		{"plain", []string{square + `, "bbox": [10, 10, 20, 20]`}, []data.Box{squareBox}, "", 400, nil},
		{"no bbox", []string{square}, []data.Box{squareBox}, "", 400, nil},
		{"bbox of null", []string{square + `, "bbox": null`}, []data.Box{squareBox}, "", 400, nil},
		{"bbox of nothing", []string{square + `, "bbox": []`}, []data.Box{squareBox}, "", 400, nil},
		{"swapped corners", []string{square + `, "bbox": [30, 30, -20, -20]`}, []data.Box{squareBox}, "", 400, []string{"bbox [30 30 -20 -20] covers nothing"}},
		{"swapped, no outline", []string{`"bbox": [30, 30, -20, -20]`}, []data.Box{squareBox}, "", -1, []string{"its corners are put in order"}},
		{"zero sides", []string{square + `, "bbox": [10, 10, 0, 0]`}, []data.Box{squareBox}, "", 400, []string{"covers nothing"}},
		{"NaN", []string{square + `, "bbox": [NaN, NaN, NaN, NaN]`}, []data.Box{squareBox}, "", 400, []string{"covers nothing"}},
		{"null sides", []string{square + `, "bbox": [null, 1, 2, 3]`}, []data.Box{squareBox}, "", 400, []string{"covers nothing"}},
		{"zero, no outline", []string{`"bbox": [10, 10, 0, 0], "segmentation": []`}, nil, "annotation 1 (image \"a\"): bbox [10 10 0 0] covers nothing, and there is no outline", -1, nil},
		{"zero beside one", []string{square, `"bbox": [40, 10, 0, 8]`}, []data.Box{squareBox}, "", 400, []string{"annotation 2 (image \"a\"): bbox [40 10 0 8] covers nothing, and there is no outline: it is left out"}},
		{"NaN, no outline", []string{`"bbox": [NaN, 1, 2, 3]`}, nil, "covers nothing, and there is no outline", -1, nil},
		{"box of run lengths", []string{`"segmentation": {"size": [48.0, 64.0], "counts": [490.0, 20, 28, 20, 2514]}`}, []data.Box{{X0: 10, Y0: 10, X1: 12, Y1: 30, Class: 1}}, "", 40, nil},
		{"box only", []string{`"bbox": [10, 10, 20, 20]`}, []data.Box{squareBox}, "", -1, nil},
		{"empty outline", []string{`"bbox": [10, 10, 20, 20], "segmentation": []`}, []data.Box{squareBox}, "", -1, nil},
		{"null outline", []string{`"bbox": [10, 10, 20, 20], "segmentation": null`}, []data.Box{squareBox}, "", -1, nil},
		{"empty polygon", []string{`"bbox": [10, 10, 20, 20], "segmentation": [[]]`}, []data.Box{squareBox}, "", -1, nil},
		{"empty run lengths", []string{`"bbox": [10, 10, 20, 20], "segmentation": {"size": [48, 64], "counts": [3072]}`}, []data.Box{squareBox}, "", -1, nil},
		{"one of two with an outline", []string{square + `, "bbox": [10, 10, 20, 20]`, `"bbox": [40, 10, 8, 8]`}, []data.Box{squareBox, {X0: 40, Y0: 10, X1: 48, Y1: 18, Class: 1}}, "", -1, nil},
		{"neither", []string{`"area": 3`}, nil, "", -1, []string{"no bbox, and no outline"}},
		{"neither beside one", []string{square, `"area": 3`}, nil, "annotation 2 (image \"a\"): no bbox, and no outline", -1, nil},
		{"partly outside", []string{square + `, "bbox": [-10, 10, 40, 20]`}, []data.Box{{X0: 0, Y0: 10, X1: 30, Y1: 30, Class: 1}}, "", 400, []string{"reaches out of the image of 64×48: it is clipped"}},
		{"outside", []string{square + `, "bbox": [70, 10, 20, 20]`}, nil, "annotation 1 (image \"a\"): the box (70,10)-(90,30) lies outside the image of 64×48", 400, nil},
		{"stray polygons", []string{`"bbox": [10, 10, 20, 20], "segmentation": [[5, 5], [10, 10, 30, 10, 30, 30, 10, 30], [1, 2, 3, 4]]`}, []data.Box{squareBox}, "", 400, []string{"polygon 1 of 2 numbers is left out", "polygon 3 of 4 numbers is left out"}},
		{"odd polygon", []string{`"bbox": [10, 10, 20, 20], "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30, 7]]`}, []data.Box{squareBox}, "", 400, []string{"odd count of 9 numbers"}},
		{"flat polygon", []string{`"bbox": [10, 10, 20, 20], "segmentation": [10, 10, 30, 10, 30, 30, 10, 30]`}, []data.Box{squareBox}, "", 400, nil},
		{"pairs", []string{`"bbox": [10, 10, 20, 20], "segmentation": [[[10, 10], [30, 10], [30, 30], [10, 30]]]`}, []data.Box{squareBox}, "", 400, nil},
		{"damaged crowd", []string{square + `, "bbox": [10, 10, 20, 20]`, damaged + `, "bbox": [40, 10, 8, 8]`}, []data.Box{squareBox, {X0: 40, Y0: 10, X1: 48, Y1: 18, Class: 1, Crowd: true}}, "", 400, []string{"annotation 2 (image \"a\"): run-length text"}},
		{"crowd without outline", []string{square + `, "bbox": [10, 10, 20, 20]`, `"iscrowd": 1, "bbox": [40, 10, 8, 8]`}, []data.Box{squareBox, {X0: 40, Y0: 10, X1: 48, Y1: 18, Class: 1, Crowd: true}}, "", 400, nil},
		{"to be ignored", []string{square, `"ignore": 1, "bbox": [40, 10, 8, 8]`}, []data.Box{squareBox, {X0: 40, Y0: 10, X1: 48, Y1: 18, Class: 1, Crowd: true}}, "", 400, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := writeFiles(t, []string{"images/a.jpg"}, map[string]string{cvatFile: own(plainImage, tc.objects...)})
			ds := open(t, root, nil)
			s, err := ds.Load("a", data.WantWeak)
			if tc.weak != "" {
				if err == nil || !strings.Contains(err.Error(), tc.weak) {
					t.Errorf("error %v, want one with %q", err, tc.weak)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if diff := cmp.Diff(data.WeakLabels{Tags: []int{1}, Boxes: tc.boxes}, s.Weak); diff != "" {
				t.Errorf("labels differ (-want +got):\n%s", diff)
			}
			s, err = ds.Load("a", data.WantTruth)
			switch {
			case tc.area < 0:
				if !errors.Is(err, data.ErrNoTruth) {
					t.Errorf("error %v is not ErrNoTruth", err)
				}
			case err != nil:
				t.Error(err)
			default:
				area := 0
				for _, v := range s.Truth.Pix {
					area += int(v)
				}
				if area != tc.area {
					t.Errorf("%d pixels of class 1, want %d", area, tc.area)
				}
			}
			faults := ds.(data.Faulty).Faults("a")
			told := ds.(interface{ LeftOut() []string }).LeftOut()
			if tc.weak == "" && (len(told) == 1) != (tc.name == "zero beside one") {
				t.Errorf("left out: %q", told)
			}
			for i, f := range faults {
				if i >= len(tc.faults) || !strings.Contains(f.Message, tc.faults[i]) {
					t.Errorf("unexpected fault %+v", f)
				}
			}
			if len(faults) != len(tc.faults) {
				t.Errorf("%d faults, want %d", len(faults), len(tc.faults))
			}
		})
	}
}

// TestCrowdVoidsItsBox: a crowd of which only the box is known is not scored.
func TestCrowdVoidsItsBox(t *testing.T) {
	root := writeFiles(t, []string{"a.jpg"}, map[string]string{cvatFile: own(plainImage, square, `"iscrowd": 1, "bbox": [40, 10, 8, 4]`)})
	s, err := open(t, root, map[string]any{"crowd": "void"}).Load("a", data.WantTruth)
	if err != nil {
		t.Fatal(err)
	}
	count := map[uint8]int{}
	for _, v := range s.Truth.Pix {
		count[v]++
	}
	if diff := cmp.Diff(map[uint8]int{0: 64*48 - 400 - 32, 1: 400, 255: 32}, count); diff != "" {
		t.Error(diff)
	}
}

// TestFiles: names, ids and encodings of instances files, each of which leads
// to the same box.
func TestFiles(t *testing.T) {
	plain := own(plainImage, square)
	named := func(name string) string { return strings.Replace(plain, `"a.jpg"`, `"`+name+`"`, 1) }
	for _, tc := range []struct {
		name   string
		photos []string
		text   string
		ids    []string
		fault  string
	}{
		{"plain", []string{"images/a.jpg"}, plain, []string{"a"}, ""},
		{"upper case", []string{"images/IMG_1.JPG"}, named("IMG_1.JPG"), []string{"IMG_1"}, ""},
		{"other case", []string{"images/IMG_1.JPG"}, named("img_1.jpg"), []string{"img_1"}, ""},
		{"mixed case", []string{"JPEGImages/a.Jpeg"}, named("a.Jpeg"), []string{"a"}, ""},
		{"no extension", []string{"data/a.jpg"}, named("a"), []string{"a"}, ""},
		{"composed accents", []string{"images/Ku\u0308che.jpg"}, named("K\u00fcche.jpg"), []string{"K\u00fcche"}, ""},
		{"folder", []string{"images/train/a.jpg"}, named("train/a.jpg"), []string{"train/a"}, ""},
		{"backslash", []string{"images/a.jpg"}, named(`images\\a.jpg`), []string{"a"}, ""},
		{"folder of images", []string{"images/a.jpg"}, named("images/a.jpg"), []string{"a"}, ""},
		{"folder of the split", []string{"images/default/a.jpg"}, plain, []string{"a"}, ""},
		{"absolute", []string{"images/a.jpg"}, named("/home/me/photos/a.jpg"), []string{"a"}, `"/home/me/photos/a.jpg", which leads out of the folder`},
		{"drive", []string{"images/a.jpg"}, named(`C:\\photos\\a.jpg`), []string{"a"}, "which leads out of the folder"},
		{"parent", []string{"images/a.jpg"}, named("../../a.jpg"), []string{"a"}, "which leads out of the folder"},
		{"web", []string{"images/a.jpg"}, named("https://example.org/a.jpg"), []string{"a"}, "which leads out of the folder"},
		{"folder that is not there", []string{"images/a.jpg"}, named("export/7/a.jpg"), []string{"export/7/a"}, "images/a.jpg is taken"},
		{"text ids", []string{"images/a.jpg"}, strings.NewReplacer(`"images": [{"id": 1`, `"images": [{"id": "x1"`, `"image_id": 1`, `"image_id": "x1"`).Replace(plain), []string{"a"}, ""},
		{"text of digits", []string{"images/a.jpg"}, strings.Replace(plain, `"image_id": 1`, `"image_id": "1"`, 1), []string{"a"}, ""},
		{"fractions", []string{"images/a.jpg"}, strings.NewReplacer(`"width": 64`, `"width": 64.0`, `"image_id": 1`, `"image_id": 1.0`, `"category_id": 1`, `"category_id": 1e0`).Replace(plain), []string{"a"}, ""},
		{"text categories", []string{"images/a.jpg"}, strings.NewReplacer(`[{"id": 1, "name"`, `[{"id": "b", "name"`, `"category_id": 1`, `"category_id": "b"`).Replace(plain), []string{"a"}, ""},
		{"mark", []string{"images/a.jpg"}, "\ufeff" + plain, []string{"a"}, ""},
		{"no size", []string{"images/a.jpg"}, strings.Replace(plain, `"width": 64, "height": 48`, `"width": null, "height": 0`, 1), []string{"a"}, ""},
		{"category of 0", []string{"images/a.jpg"}, strings.NewReplacer(`"category_id": 1`, `"category_id": 0`, `[{"id": 1, "name"`, `[{"id": 0, "name"`).Replace(plain), []string{"a"}, ""},
		{"other size", []string{"images/a.jpg"}, strings.Replace(plain, `"width": 64`, `"width": 65`, 1), []string{"a"}, "65×48 for the file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds := open(t, writeFiles(t, tc.photos, map[string]string{cvatFile: tc.text}), nil)
			if diff := cmp.Diff([]string{"background", "bolt", "nut"}, ds.Classes().Names); diff != "" {
				t.Errorf("classes differ:\n%s", diff)
			}
			ids, err := ds.IDs("default")
			if diff := cmp.Diff(tc.ids, ids); err != nil || diff != "" {
				t.Fatalf("error %v, ids differ:\n%s", err, diff)
			}
			s, err := ds.Load(ids[0], data.WantAll)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]data.Box{squareBox}, s.Weak.Boxes); diff != "" || s.Truth.At(20, 20) != 1 {
				t.Errorf("boxes differ:\n%s", diff)
			}
			found := tc.fault == ""
			for _, f := range ds.(data.Faulty).Faults(ids[0]) {
				found = found || strings.Contains(f.Message, tc.fault)
				if tc.fault == "" && f.Kind != "box-clipped" {
					t.Errorf("unexpected fault %+v", f)
				}
			}
			if !found {
				t.Errorf("no fault says %q", tc.fault)
			}
		})
	}
}

// TestSameNameInTwoFolders keeps images apart that only their folder tells
// apart, and never takes one for another.
func TestSameNameInTwoFolders(t *testing.T) {
	text := strings.NewReplacer(`[{"id": 1, "file_name": "a.jpg"`, `[{"id": 2, "file_name": "cam2/a.jpg", "width": 64, "height": 48}, {"id": 3, "file_name": "a.jpg", "width": 64, "height": 48}, {"id": 1, "file_name": "cam1/a.jpg"`,
		`"annotations": [`, `"annotations": [{"id": 7, "image_id": 2, "category_id": 2, "bbox": [1, 2, 3, 4]}, {"id": 8, "image_id": 3, "category_id": 2, "bbox": [1, 2, 3, 4]}, `).Replace(own(plainImage, square))
	root := writeFiles(t, []string{"images/cam1/a.jpg", "images/a.jpg"}, map[string]string{cvatFile: text, "lists/train.txt": "cam2/a\ncam1/a.jpg\n"})
	ds := open(t, root, map[string]any{"lists": "lists", "images": "images"})
	ids, err := ds.IDs("default")
	if diff := cmp.Diff([]string{"cam2/a", "a", "cam1/a"}, ids); err != nil || diff != "" {
		t.Fatalf("error %v, ids differ:\n%s", err, diff)
	}
	if s, err := ds.Load("cam1/a", data.WantAll); err != nil || s.Weak.Boxes[0].Class != 1 {
		t.Errorf("cam1/a: %+v, error %v", s, err)
	}
	if _, err := ds.Load("cam2/a", data.WantImage); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "cam2/a.jpg") {
		t.Errorf("an image that is not there: error %v", err)
	}
	for _, id := range []string{"../a", "/a", `x\a`, ""} {
		if _, err := ds.Load(id, data.WantImage); err == nil || !strings.Contains(err.Error(), "is no image id") {
			t.Errorf("%q: error %v", id, err)
		}
	}
}

// TestLayouts opens the folders that tools export.
func TestLayouts(t *testing.T) {
	plain := own(plainImage, square)
	roboflow := strings.Replace(plain, `"categories": [`, `"categories": [{"id": 0, "name": "screws", "supercategory": "none"}, `, 1)
	roboflow = strings.NewReplacer(`"name": "bolt"`, `"name": "bolt", "supercategory": "screws"`, `"name": "nut"`, `"name": "nut", "supercategory": "screws"`).Replace(roboflow)
	for _, tc := range []struct {
		name   string
		photos []string
		texts  map[string]string
		splits map[string]string // and an id of each
	}{
		{"CVAT", []string{"images/a.jpg"}, map[string]string{cvatFile: plain}, map[string]string{"default": "a"}},
		{"Datumaro", []string{"images/train/a.jpg"}, map[string]string{"annotations/instances_train.json": plain}, map[string]string{"train": "a"}},
		{"Roboflow", []string{"train/a.jpg", "valid/a.jpg"}, map[string]string{"train/_annotations.coco.json": roboflow, "valid/_annotations.coco.json": roboflow}, map[string]string{"train": "train/a", "val": "valid/a"}},
		{"Label Studio", []string{"images/1-a.jpg"}, map[string]string{"result.json": strings.Replace(plain, "a.jpg", `images\\1-a.jpg`, 1)}, map[string]string{"all": "1-a"}},
		{"FiftyOne", []string{"data/a.jpg"}, map[string]string{"labels.json": plain}, map[string]string{"all": "a"}},
		{"FiftyOne, split", []string{"train/data/a.jpg", "val/data/a.jpg"}, map[string]string{"train/labels.json": plain, "val/labels.json": plain}, map[string]string{"train": "train/a", "val": "val/a"}},
		{"one folder", []string{"a.jpg"}, map[string]string{"_annotations.coco.json": plain}, map[string]string{"all": "a"}},
		{"names of splits", []string{"images/a.jpg"}, map[string]string{"annotations/train.json": plain, "annotations/captions_train.json": "{}"}, map[string]string{"train": "a"}},
		{"names of COCO, own classes", []string{"train2017/a.jpg"}, map[string]string{"annotations/instances_train2017.json": plain}, map[string]string{"train2017": "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ds := open(t, writeFiles(t, tc.photos, tc.texts), nil)
			if diff := cmp.Diff([]string{"background", "bolt", "nut"}, ds.Classes().Names); diff != "" {
				t.Errorf("classes differ:\n%s", diff)
			}
			if len(ds.Splits()) != len(tc.splits) {
				t.Errorf("splits %v, want %v", ds.Splits(), tc.splits)
			}
			for split, id := range tc.splits {
				ids, err := ds.IDs(split)
				if diff := cmp.Diff([]string{id}, ids); err != nil || diff != "" {
					t.Fatalf("%s: error %v, ids differ:\n%s", split, err, diff)
				}
				s, err := ds.Load(id, data.WantAll)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]data.Box{squareBox}, s.Weak.Boxes); diff != "" {
					t.Errorf("boxes differ:\n%s", diff)
				}
			}
		})
	}
}

// TestValFraction divides the images of one file, the same for the same seed.
func TestValFraction(t *testing.T) {
	var images, objects []string
	for i := range 10 {
		images = append(images, fmt.Sprintf(`{"id": %d, "file_name": "%d.jpg", "width": 4, "height": 4}`, i, i))
		objects = append(objects, fmt.Sprintf(`{"id": %d, "image_id": %d, "category_id": 3, "bbox": [0, 0, 1, 1]}`, i, i))
	}
	text := fmt.Sprintf(`{"images": [%s], "annotations": [%s], "categories": [{"id": 3, "name": "bolt"}]}`, strings.Join(images, ","), strings.Join(objects, ","))
	ds := open(t, writeFiles(t, nil, map[string]string{"result.json": text}), map[string]any{"val_fraction": 0.3})
	seen := map[string]bool{}
	for split, want := range map[string]int{"train": 7, "val": 3} {
		ids, err := ds.IDs(split)
		if err != nil || len(ids) != want {
			t.Errorf("%s: %v, error %v: want %d", split, ids, err, want)
		}
		for _, id := range ids {
			seen[id] = true
		}
	}
	if all, err := ds.IDs("all"); err != nil || len(all) != 10 || len(seen) != 10 {
		t.Errorf("%v, error %v", all, err)
	}
}

// TestFileFaults: what is wrong with a whole file.
func TestFileFaults(t *testing.T) {
	text := strings.NewReplacer(`"id": 2, "image_id"`, `"id": 1, "image_id"`, `"images": [`, `"images": [{"id": 5, "file_name": "b.jpg", "width": 1, "height": 1}, `).Replace(own(plainImage, square, square))
	ds := open(t, writeFiles(t, []string{"a.jpg"}, map[string]string{cvatFile: text}), nil)
	var got []string
	for _, f := range ds.(data.Faulty).FileFaults("default") {
		got = append(got, f.Kind)
	}
	if diff := cmp.Diff([]string{"duplicate-id", "unannotated"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestClassNames: a background category, names in another case, and groups.
func TestClassNames(t *testing.T) {
	text := `{"images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}], "annotations": [
		{"image_id": 1, "category_id": 0, "bbox": [0, 0, 64, 48], "segmentation": [[0, 0, 64, 0, 64, 48, 0, 48]]},
		{"image_id": 1, "category_id": 9, "bbox": [10, 10, 20, 20], "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]]}],
		"categories": [{"id": 0, "name": "background"}, {"id": 9, "name": " bolt "}, {"id": 4, "name": "nut"}]}`
	root := writeFiles(t, []string{"a.jpg"}, map[string]string{cvatFile: text})
	for _, tc := range []struct {
		options map[string]any
		names   []string
		label   uint8
	}{
		{nil, []string{"background", "bolt", "nut"}, 1},
		{map[string]any{"classes": []any{"nut", "Bolt"}}, []string{"background", "nut", "Bolt"}, 2},
	} {
		ds := open(t, root, tc.options)
		s, err := ds.Load("a", data.WantTruth|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.names, ds.Classes().Names); diff != "" {
			t.Errorf("classes differ:\n%s", diff)
		}
		if len(s.Weak.Boxes) != 1 || s.Weak.Boxes[0].Class != int(tc.label) || s.Truth.At(20, 20) != tc.label || s.Truth.At(1, 1) != 0 {
			t.Errorf("boxes %v, labels %d and %d", s.Weak.Boxes, s.Truth.At(20, 20), s.Truth.At(1, 1))
		}
	}
}
