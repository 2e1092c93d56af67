package annotation_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/annotation/annotationtest"
	"wsss/data/datatest"
)

// read writes files and reads them beside photos of 48×40 pixels.
func read(t *testing.T, photos []string, files map[string]string) (*annotation.Set, error) {
	t.Helper()
	root := t.TempDir()
	w := annotationtest.NewWriter(t, root)
	ids := map[string]string{}
	for _, name := range photos {
		w.Photo(name, annotationtest.Photo{Name: name})
		ids[strings.TrimSuffix(name, filepath.Ext(name))] = filepath.Join(root, filepath.FromSlash(name))
	}
	for name, text := range files {
		w.Text(name, text)
	}
	src, err := annotation.NewSource(root, ids)
	if err != nil {
		t.Fatal(err)
	}
	return annotation.Read(src, annotation.Options{})
}

// labelme wraps shapes.
func labelme(shapes string) map[string]string {
	return map[string]string{"a.json": `{"version": "5.4.1", "flags": {}, "shapes": [` + shapes + `], "imagePath": "..\\photos\\A.PNG", "imageData": null, "imageHeight": 40, "imageWidth": 48}`}
}

func cvat(shapes string) map[string]string {
	return map[string]string{"annotations.xml": `<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta></meta><image id="0" name="a.png" width="48" height="40">` + shapes + `</image></annotations>`}
}

func studio(results string) map[string]string {
	return map[string]string{"p.json": `[{"id": 1, "data": {"image": "s3://bucket/a.png"}, "annotations": [{"result": [` + results + `]}]}]`}
}

// studioRegion is one result on a photo of 48×40.
func studioRegion(kind, value string) string {
	return fmt.Sprintf(`{"id": "x", "type": %q, "original_width": 48, "original_height": 40, "value": {%s}}`, kind, value)
}

func maskPNG(t *testing.T) string {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	m.Pix = []uint8{255, 0, 255, 0, 255, 0}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// What the shapes of each tool become: boxes, pixels, points, lines, tags.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		boxes []data.Box // class 1
		area  int        // of the truth; 0: there is none
		weak  data.WeakLabels
	}{
		{"labelme rectangle drawn from below", labelme(`{"label": "x", "shape_type": "rectangle", "points": [[20, 30], [4, 5.5]]}`),
			[]data.Box{{X0: 4, Y0: 5.5, X1: 20, Y1: 30}}, 0, data.WeakLabels{}},
		{"labelme group", labelme(`{"label": "x", "shape_type": "polygon", "group_id": 3, "points": [[0, 0], [4, 0], [4, 4], [0, 4]]}, {"label": "x", "shape_type": "polygon", "group_id": 3, "points": [[10, 10], [14, 10], [14, 14], [10, 14]]}`),
			[]data.Box{{X0: 0, Y0: 0, X1: 14, Y1: 14}}, 32, data.WeakLabels{}},
		{"labelme circle", labelme(`{"label": "x", "shape_type": "circle", "points": [[20, 20], [30, 20]]}`),
			[]data.Box{{X0: 10, Y0: 10, X1: 30, Y1: 30}}, 312, data.WeakLabels{}},
		{"labelme mask", labelme(`{"label": "x", "shape_type": "mask", "points": [[5, 6], [8, 8]], "mask": "` + maskPNG(t) + `"}`),
			[]data.Box{{X0: 5, Y0: 6, X1: 8, Y1: 8}}, 3, data.WeakLabels{}},
		{"labelme line and point", labelme(`{"label": "x", "shape_type": "linestrip", "points": [[1, 2], [3.7, 4]]}, {"label": "x", "shape_type": "point", "points": [[47.9, 40]]}`),
			nil, 0, data.WeakLabels{Tags: []int{1}, Points: []data.Point{{X: 47, Y: 39, Class: 1}}, Scribbles: []data.Scribble{{Class: 1, Points: []image.Point{{X: 1, Y: 2}, {X: 3, Y: 4}}}}}},
		{"CVAT box at an angle", cvat(`<box label="x" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>`),
			[]data.Box{{X0: 15, Y0: 5, X1: 25, Y1: 25}}, 0, data.WeakLabels{}},
		{"CVAT mask", cvat(`<mask label="x" rle="1, 2, 2, 1" left="4" top="3" width="3" height="2"/>`),
			[]data.Box{{X0: 5, Y0: 3, X1: 7, Y1: 5}}, 3, data.WeakLabels{}},
		{"CVAT order", cvat(`<polygon label="x" points="0,0;4,0;4,4;0,4" z_order="1"/><polygon label="y" points="0,0;4,0;4,4;0,4" z_order="0"/>`),
			[]data.Box{{X0: 0, Y0: 0, X1: 4, Y1: 4}}, 16, data.WeakLabels{}},
		{"CVAT points and tag", cvat(`<points label="x" points="1.5,2.5;3,4"/><tag label="y"/>`),
			nil, 0, data.WeakLabels{Tags: []int{1, 2}, Points: []data.Point{{X: 1, Y: 2, Class: 1}, {X: 3, Y: 4, Class: 1}}}},
		{"Label Studio rectangle at an angle", studio(studioRegion("rectanglelabels", `"x": 50, "y": 25, "width": 25, "height": 25, "rotation": 90, "rectanglelabels": ["x"]`)),
			[]data.Box{{X0: 14, Y0: 10, X1: 24, Y1: 22}}, 0, data.WeakLabels{}},
		{"Label Studio region and class apart", studio(studioRegion("rectangle", `"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0`) + "," + studioRegion("labels", `"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "labels": ["x"]`)),
			[]data.Box{{X0: 0, Y0: 0, X1: 24, Y1: 20}}, 0, data.WeakLabels{}},
		{"Label Studio choices", studio(studioRegion("choices", `"choices": ["x", "y"]`) + "," + studioRegion("taxonomy", `"taxonomy": [["things", "z"]]`)),
			nil, 0, data.WeakLabels{Tags: []int{1, 2, 3}}},
		{"COCO stray points and a run-length crowd", map[string]string{"instances.json": `{"images": [{"id": "i", "file_name": "sub\\a.png", "width": 48, "height": 40}], "categories": [{"id": 7, "name": "x"}],
			"annotations": [{"id": 1, "image_id": "i", "category_id": 7, "bbox": [0, 0, 4, 4], "iscrowd": 0, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4], [9, 9]]}]}`},
			[]data.Box{{X0: 0, Y0: 0, X1: 4, Y1: 4}}, 16, data.WeakLabels{}},
		{"Supervisely polygon with a hole", map[string]string{"ann/a.png.json": `{"size": {"width": 48, "height": 40}, "tags": [], "objects": [{"classTitle": "x", "geometryType": "polygon", "points": {"exterior": [[0, 0], [9, 0], [9, 9], [0, 9]], "interior": [[[3, 3], [6, 3], [6, 6], [3, 6]]]}}]}`},
			[]data.Box{{X0: 0.5, Y0: 0.5, X1: 9.5, Y1: 9.5}}, 72, data.WeakLabels{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := read(t, []string{"a.png"}, c.files)
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Images) != 1 {
				t.Fatalf("%d images", len(set.Images))
			}
			weak := set.Weak(set.Images[0], 48, 40)
			if c.boxes != nil {
				got := slices.DeleteFunc(weak.Boxes, func(b data.Box) bool { return b.Class != 1 })
				for i := range c.boxes {
					c.boxes[i].Class = 1
				}
				if diff := cmp.Diff(c.boxes, got); diff != "" {
					t.Errorf("boxes differ:\n%s", diff)
				}
			} else if diff := cmp.Diff(c.weak, weak); diff != "" {
				t.Errorf("labels differ:\n%s", diff)
			}
			m, err := set.Truth(set.Images[0], 48, 40)
			if c.area == 0 {
				if !errors.Is(err, data.ErrNoTruth) {
					t.Errorf("truth without an outline: error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			area := 0
			for _, v := range m.Pix {
				if v == 1 {
					area++
				}
			}
			if area != c.area {
				t.Errorf("%d pixels, want %d", area, c.area)
			}
		})
	}
}

// A brush as label-studio-sdk 2.1.2 packs it: mask2rle of a mask of 10 rows
// and 12 columns with [2:7, 3:9], [8, 11] and [0, 0] set.
func TestBrush(t *testing.T) {
	const packed = "0,0,1,224,57,27,252,127,249,156,3,11,255,225,112,12,47,255,133,192,48,191,254,23,0,194,255,248,92,3,11,255,230,112,8,255,241,120,0"
	set, err := read(t, []string{"a.png"}, map[string]string{"p.json": `[{"id": 1, "data": {"image": "/data/upload/3/0123abcd-a.png"}, "annotations": [{"result": [
		{"type": "brushlabels", "original_width": 12, "original_height": 10, "value": {"format": "rle", "rle": [` + packed + `], "brushlabels": ["x"]}}]}]}]`})
	if err != nil {
		t.Fatal(err)
	}
	m, err := set.Truth(set.Images[0], 12, 10)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 10 {
		for x := range 12 {
			inside := y >= 2 && y < 7 && x >= 3 && x < 9 || y == 8 && x == 11 || x == 0 && y == 0
			if (m.At(x, y) == 1) != inside {
				t.Errorf("pixel (%d, %d) is %d", x, y, m.At(x, y))
			}
		}
	}
}

// What cannot be labels of pixels, or is broken, is refused: with the file, the
// item and what would help.
func TestFaults(t *testing.T) {
	yolo := func(rows string) map[string]string {
		return map[string]string{"a.txt": rows, "data.yaml": "names: [x, y]\n"}
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"a class beyond the table", yolo("0 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n"), []string{"a.txt:2", "class 7", "data.yaml names the classes 0..1"}},
		{"pixels for fractions", yolo("0 0.5 0.5 0.1 0.1\n0 12 20 30 40\n"), []string{"a.txt:2", "12 is no fraction"}},
		{"a word", yolo("0 0.5 0.5 0.1 0.1\nbolt 0.5 0.5 0.1 0.1\n"), []string{"a.txt:2", `"bolt" is not a number`}},
		{"an odd count", yolo("0 0.5 0.5 0.1 0.1\n0 0.1 0.2 0.3 0.4 0.5 0.6 0.7\n"), []string{"a.txt:2", "7 numbers after the class"}},
		{"oriented boxes", yolo("0 0.5 0.2 0.7 0.44 0.5 0.68 0.3 0.44\n"), []string{"oriented boxes", "export axis-aligned boxes or polygons"}},
		{"a pose", map[string]string{"a.txt": "0 0.5 0.5 0.1 0.1 0.5 0.5 2\n", "data.yaml": "names: [x]\nkpt_shape: [1, 3]\n"}, []string{"a.txt:1", "keypoints (pose)"}},
		{"names that are no list", map[string]string{"a.txt": "0 0.5 0.5 0.1 0.1\n", "data.yaml": "names: {first: x}\n"}, []string{"data.yaml", "names", `"first"`}},
		{"a shape of another kind", labelme(`{"label": "x", "shape_type": "cuboid", "points": [[1, 1]]}`), []string{"a.json", "shape 1", "cuboid", "allowed are polygon"}},
		{"two corners", labelme(`{"label": "x", "shape_type": "polygon", "points": [[1, 1], [2, 2]]}`), []string{"a.json", "shape 1", "at least three points"}},
		{"a flat box", labelme(`{"label": "x", "shape_type": "rectangle", "points": [[1, 1], [1, 9]]}`), []string{"a.json", "shape 1", "covers nothing"}},
		{"a track", map[string]string{"annotations.xml": "<annotations><meta></meta>\n<track id=\"0\" label=\"x\"></track></annotations>"}, []string{"annotations.xml:2", "CVAT for images"}},
		{"a mask that is too long", cvat(`<mask label="x" rle="1, 9" left="0" top="0" width="2" height="2"/>`), []string{"annotations.xml", "mask 1", "2×2"}},
		{"a brush of another photo", studio(studioRegion("brushlabels", `"format": "rle", "rle": [0, 0, 0, 4, 0, 0], "brushlabels": ["x"]`)), []string{"p.json", "task 1", "result 1", "48×40"}},
		{"not JSON", map[string]string{"a.json": "{\"version\": \"5\", \"flags\": {},\n \"imagePath\": \"a.png\", \"shapes\": [}"}, []string{"a.json:2"}},
		{"photos of elsewhere", map[string]string{"p.json": `[{"id": 1, "data": {"image": "/x/other.png"}, "annotations": [{"result": []}]}]`}, []string{"name 1 image, and none is there", "other.png"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(t, []string{"a.png"}, c.files)
			if err == nil {
				t.Fatal("it passes")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// Photos are found by the end of a path, in either spelling of an accent and
// any case; what could be several is an error.
func TestFind(t *testing.T) {
	ids := map[string]string{}
	for _, id := range []string{"train/a", "val/a", "val/Über", "deep/er/b", "0123abcd-c", "x.jpg"} {
		ids[id] = "/root/" + id + ".jpg"
	}
	src, err := annotation.NewSource(t.TempDir(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, near, want string }{
		{"train/a.jpg", "", "train/a"},
		{`C:\export\images\val\a.JPG`, "", "val/a"},
		{"../images/val/u\u0308BER.png", "labels/x.json", "val/Über"},
		{"b.jpg", "anywhere/x.json", "deep/er/b"},
		{"/abs/elsewhere/b.jpeg", "", "deep/er/b"},
		{"c.jpg", "", ""},
		{"x.jpg.jpg", "", "x.jpg"},
		{"../../../etc/passwd", "", ""},
	} {
		if got, err := src.Find(c.name, c.near); err != nil || got != c.want {
			t.Errorf("%s near %s: %q, error %v; want %q", c.name, c.near, got, err, c.want)
		}
	}
	if _, err := src.Find("a.jpg", ""); err == nil || !strings.Contains(err.Error(), "train/a, val/a") {
		t.Errorf("two photos of one name: error %v", err)
	}
}

// TestYOLOSplitsThatShare: a photo is of one split, whatever data.yaml repeats.
func TestYOLOSplitsThatShare(t *testing.T) {
	for _, c := range []struct{ name, parts, want string }{
		{"apart", "train: a\nval: b\ntest: c\n", "train val test"},
		{"val is train", "train: [a, b]\nval: [a, b]\n", "train train "},
		{"all are one", "train: [a, b, c]\nval: [a, b, c]\ntest: [a, b, c]\n", "train train train"},
		{"val is a part of train", "train: [a, b, c]\nval: b\n", "train val train"},
		{"test is val", "train: a\nval: [b, c]\ntest: [b, c]\n", "train val val"},
		{"no train", "val: [a, b]\n", "val val "},
	} {
		files := map[string]string{"data.yaml": c.parts + "names: [bolt]\n"}
		for _, id := range []string{"a/1", "b/1", "c/1"} {
			files[id+".txt"] = "0 0.5 0.5 0.1 0.1\n"
		}
		for range 4 { // tables have no order
			set, err := read(t, []string{"a/1.png", "b/1.png", "c/1.png"}, files)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got := strings.Join([]string{set.SplitOf("a/1"), set.SplitOf("b/1"), set.SplitOf("c/1")}, " "); got != c.want {
				t.Errorf("%s: splits %q, want %q", c.name, got, c.want)
			}
		}
	}
}

// TestYOLODivides: of photos without a split a fifth is val, exactly; the same photos are
// when a stopped call goes on, and more photos move none.
func TestYOLODivides(t *testing.T) {
	dir, photo := t.TempDir(), filepath.Join(t.TempDir(), "photo.jpg")
	datatest.Write(t, photo, "a photo")
	var ids []string
	write := func(more, val int) {
		for range more {
			ids = append(ids, fmt.Sprintf("photo_%02d", len(ids)))
		}
		before, _ := filepath.Glob(filepath.Join(dir, "yolo/*/*/*"))
		for range 2 {
			w, err := annotation.Create("yolo", annotation.Target{
				Dir: dir, Classes: data.Classes{Names: []string{"background", "bolt"}}, IDs: ids, Photo: func(string) string { return photo },
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				err = errors.Join(err, w.Add(&annotation.Image{ID: id, W: 8, H: 8}))
			}
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
		}
		all, _ := filepath.Glob(filepath.Join(dir, "yolo/*/*/*"))
		here, _ := filepath.Glob(filepath.Join(dir, "yolo/labels/val/*"))
		if len(all) != 2*len(ids) || len(here) != val {
			t.Errorf("%d files, %d labels in val: want %d and %d", len(all), len(here), 2*len(ids), val)
		}
		for _, path := range before {
			if !slices.Contains(all, path) {
				t.Errorf("%s has moved", path)
			}
		}
	}
	write(5, 1)
	write(5, 2)
}

// TestLabelMePhotos: a file leads to its photo where a path can; one in a tar file has
// but its name.
func TestLabelMePhotos(t *testing.T) {
	files.Register("tar", struct{ files.Remote }{}) // nothing is read
	for photo, want := range map[string]string{"photos/a.png": "../../photos/a.png", "tar:/data/train-000.tar/a.png": "a.png", "": "a.png"} {
		dir := t.TempDir()
		if strings.HasPrefix(photo, "photos") {
			photo = filepath.Join(dir, photo)
		}
		w, err := annotation.Create("labelme", annotation.Target{
			Dir: filepath.Join(dir, "out"), Classes: data.Classes{Names: []string{"background", "bolt"}},
			FileName: func(string) string { return "a.png" }, Photo: func(string) string { return photo },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Add(&annotation.Image{ID: "a", W: 8, H: 8}), w.Close()); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "out", "labelme", "a.json"))
		if err != nil || !strings.Contains(string(raw), `"imagePath":"`+want+`"`) {
			t.Errorf("photo %q: %s, %v", photo, raw, err)
		}
	}
}
