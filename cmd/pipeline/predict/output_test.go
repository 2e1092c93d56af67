package predict

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

// Predictions are exact as run lengths and short as polygons, unless asked
// otherwise; YOLO has the photos beside the labels.
func TestPolygons(t *testing.T) {
	label := data.NewLabelMap(60, 60)
	for y := range 60 {
		for x := range 60 {
			if d := image.Pt(x-25, y-25); d.X*d.X+d.Y*d.Y < 400 { // a disc
				label.Set(x, y, 1)
			}
		}
	}
	label.Set(58, 58, 1) // and a speck
	for _, c := range []struct {
		name     string
		o        Output
		polygons int  // in cvat.xml
		short    bool // whether the disc's is
		masks    int  // in coco.json
	}{
		{"default", Output{Tolerance: DefaultTolerance, MinArea: DefaultMinArea}, 1, true, 2},
		{"exact", Output{MinAreaAlways: true}, 2, false, 2},
		{"specks", Output{Tolerance: DefaultTolerance, MinArea: 5, MinAreaAlways: true}, 1, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			photo := filepath.Join(dir, "in", "a.JPG")
			datatest.Write(t, photo, "a photo")
			classes := data.Classes{Names: []string{"background", "cat"}}
			c.o.Dir, c.o.Formats = dir, []string{"coco", " cvat", "yolo"}
			writers, err := c.o.open(classes, []Photo{{photo, "a"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range writers {
				if err := w.Add("a", nil, label); err != nil {
					t.Fatal(err)
				}
			}
			for _, w := range writers {
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			read := func(name string) string {
				raw, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				return string(raw)
			}
			cvat := read("cvat.xml")
			if n := strings.Count(cvat, "<polygon"); n != c.polygons {
				t.Errorf("%d polygons, want %d", n, c.polygons)
			}
			if corners := strings.Count(cvat, ";"); (corners < 60) != c.short {
				t.Errorf("polygons of %d corners", corners)
			}
			coco := read("coco.json")
			annotations := coco[strings.Index(coco, `"annotations"`):strings.Index(coco, `"categories"`)]
			if n := strings.Count(annotations, "\n{"); n != c.masks {
				t.Errorf("%d masks, want %d", n, c.masks)
			}
			if placed, _ := filepath.Glob(filepath.Join(dir, "yolo/images/*/a.JPG")); len(placed) != 1 {
				t.Errorf("the photo lies at %v", placed)
			}
		})
	}
}
