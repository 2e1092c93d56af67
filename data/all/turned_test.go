package all

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
)

// TestTurnedPhotos: a phone's photo of 23×14 stored pixels that is seen upright
// at 14×23. Tools that show it upright and those that do not mean the same
// object, whichever data set they write.
func TestTurnedPhotos(t *testing.T) {
	photo, err := os.ReadFile("../photo/testdata/turned-6.jpg")
	if err != nil {
		t.Fatal(err)
	}
	// The object as it is seen, and where it is stored: x = y, y = 13 − x.
	seen, stored := image.Rect(3, 6, 9, 16), image.Rect(6, 5, 16, 11)
	want := data.Box{X0: 3, Y0: 6, X1: 9, Y1: 16, Class: 1}
	for _, at := range []struct {
		name string
		size image.Point
		box  image.Rectangle
	}{{"upright", image.Pt(14, 23), seen}, {"stored", image.Pt(23, 14), stored}} {
		for kind, files := range map[string]map[string]string{
			"voc": {
				"JPEGImages/a.jpg":                 string(photo),
				"ImageSets/Segmentation/train.txt": "a\n",
				"Annotations/a.xml":                vocXML(at.size, at.box),
				"SegmentationClass/a.png":          mask(t, at.size, at.box),
			},
			"coco": {
				"images/a.jpg":                     string(photo),
				"annotations/instances_train.json": cocoJSON(at.size, at.box),
			},
			"folder": {
				"images/a.jpg": string(photo), "classes.txt": "background\ncat\n", "masks/a.png": mask(t, at.size, at.box),
				// CSV has no size: its boxes are those that are seen.
				"boxes.csv": "image,class,x0,y0,x1,y1\na,cat,3,6,9,16\n",
			},
		} {
			t.Run(kind+" "+at.name, func(t *testing.T) {
				root := t.TempDir()
				for name, text := range files {
					path := filepath.Join(root, name)
					datatest.Write(t, path, text)
				}
				options := map[string]any{}
				if kind != "folder" {
					options["classes"] = []any{"cat"}
				}
				ds, err := data.Open(kind, data.Options{Root: root, Extra: options})
				if err != nil {
					t.Fatal(err)
				}
				split := map[string]string{"folder": "all"}[kind]
				if split == "" {
					split = ds.Splits()[0]
				}
				ids, err := ds.IDs(split)
				if err != nil || len(ids) != 1 {
					t.Fatalf("split %s: %v, %v", split, ids, err)
				}
				s, err := ds.Load(ids[0], data.WantAll)
				if err != nil {
					t.Fatal(err)
				}
				if s.Image.Rect != image.Rect(0, 0, 14, 23) {
					t.Errorf("image %v", s.Image.Rect)
				}
				if diff := cmp.Diff([]data.Box{want}, s.Weak.Boxes); diff != "" {
					t.Error(diff)
				}
				if s.Truth.Size() != image.Pt(14, 23) {
					t.Fatalf("mask of %v", s.Truth.Size())
				}
				for i, v := range s.Truth.Pix {
					if in := image.Pt(i%14, i/14).In(seen); in != (v == 1) {
						t.Fatalf("pixel (%d,%d) of the mask is %d", i%14, i/14, v)
					}
				}
			})
		}
	}
}

func vocXML(size image.Point, b image.Rectangle) string {
	return fmt.Sprintf(`<annotation><filename>a.jpg</filename><size><width>%d</width><height>%d</height><depth>3</depth></size>
<object><name>cat</name><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax></bndbox></object></annotation>`,
		size.X, size.Y, b.Min.X+1, b.Min.Y+1, b.Max.X, b.Max.Y)
}

func cocoJSON(size image.Point, b image.Rectangle) string {
	return fmt.Sprintf(`{"images": [{"id": 1, "file_name": "a.jpg", "width": %d, "height": %d}], "categories": [{"id": 1, "name": "cat"}],
"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [%d, %d, %d, %d], "segmentation": [[%d,%d,%d,%d,%d,%d,%d,%d]]}]}`,
		size.X, size.Y, b.Min.X, b.Min.Y, b.Dx(), b.Dy(), b.Min.X, b.Min.Y, b.Max.X, b.Min.Y, b.Max.X, b.Max.Y, b.Min.X, b.Max.Y)
}

func mask(t *testing.T, size image.Point, b image.Rectangle) string {
	t.Helper()
	m := image.NewGray(image.Rectangle{Max: size})
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			m.SetGray(x, y, color.Gray{1})
		}
	}
	var out strings.Builder
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
