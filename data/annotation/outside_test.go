package annotation_test

import (
	"errors"
	"image"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/annotation"
)

// A box outside the photo is named, in whatever file it stands: what is in it
// would pass for background. One that reaches out is clipped.
func TestBoxOutside(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"labelme":      labelme(`{"label": "x", "shape_type": "rectangle", "points": [[50, 5], [60, 9]]}`),
		"cvat":         cvat(`<box label="x" xtl="50" ytl="5" xbr="60" ybr="9"/>`),
		"cvat polygon": cvat(`<polygon label="x" points="50,5;60,5;60,9"/>`),
		"labelstudio":  studio(studioRegion("rectanglelabels", `"x": 110, "y": 10, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["x"]`)),
		"via":          {"via.csv": "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\na.png,1,\"{}\",1,0,\"{\"\"name\"\":\"\"rect\"\",\"\"x\"\":50,\"\"y\"\":5,\"\"width\"\":10,\"\"height\"\":4}\",\"{\"\"class\"\":\"\"x\"\"}\"\n"},
		"supervisely":  {"ann/a.png.json": `{"size": {"width": 48, "height": 40}, "tags": [], "objects": [{"classTitle": "x", "geometryType": "rectangle", "points": {"exterior": [[50, 5], [60, 9]], "interior": []}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, []string{"a.png"}, files)
			if err != nil {
				t.Fatal(err)
			}
			im := *set.Images[0]
			weak := set.Weak(&im, 48, 40)
			if err := weak.CheckBoxes(image.Pt(48, 40), set.Classes); err == nil || !strings.Contains(err.Error(), "lies outside the image of 48×40") {
				t.Errorf("error %v, want one that names the box", err)
			}
			im.W, im.H = 48, 40
			w, err := annotation.Create("yolo", annotation.Target{Dir: t.TempDir(), Classes: set.Classes})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Add(&im); err == nil || !strings.Contains(err.Error(), "outside") {
				t.Errorf("it is written, error %v", err)
			}
		})
	}
	set, err := read(t, []string{"a.png"}, cvat(`<box label="x" xtl="-3" ytl="5" xbr="60" ybr="9"/>`))
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Weak(set.Images[0], 48, 40).Boxes; len(got) != 1 || got[0] != (data.Box{X1: 48, Y0: 5, Y1: 9, Class: 1}) {
		t.Errorf("%v, want a clipped box", got)
	}
}

// Points and scribbles outside the photo are left out, and said; those that
// reach in are kept.
func TestPointOutside(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  string // "" = nothing is said
	}{
		"point":       {cvat(`<points label="x" points="50,5"/>`), "point 1 (x) at (50,5) is outside the 48×40 image"},
		"line":        {cvat(`<polyline label="x" points="50,5;60,9"/>`), "scribble 1 (x) is outside the 48×40 image"},
		"line inside": {cvat(`<polyline label="x" points="40,5;60,9"/>`), ""},
		"on the edge": {cvat(`<points label="x" points="48,40"/>`), ""},
		"labelme":     {labelme(`{"label": "x", "shape_type": "point", "points": [[-5, 5]]}`), "point 1 (x) at (-5,5)"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, []string{"a.png"}, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			im := set.Images[0]
			faults, weak := set.LeftOut(im, 48, 40), set.Weak(im, 48, 40)
			left := len(weak.Points)+len(weak.Scribbles) == 0
			if left != (tt.want != "") || len(faults) > 1 || left && (len(faults) != 1 || !strings.Contains(faults[0].Message, tt.want) || !strings.HasPrefix(faults[0].Message, im.From)) {
				t.Errorf("%v of %+v, want %q", faults, weak, tt.want)
			}
		})
	}
}

// What is amiss in COCO's files is found as a whole, by annotation: bad ones
// are an error, what can be read is noted.
func TestCOCOFaults(t *testing.T) {
	file := func(annotations string) map[string]string {
		return map[string]string{"coco.json": `{"images": [{"id": 1, "file_name": "a.png", "width": 48, "height": 40}],
			"categories": [{"id": 1, "name": "x"}], "annotations": [` + annotations + `]}`}
	}
	set, err := read(t, []string{"a.png"}, file(`{"id": 1, "image_id": 1, "category_id": 1, "bbox": [100, 100, 9, 9]},
		{"id": 2, "image_id": 1, "category_id": 1, "bbox": [9, 9, -4, -4]}, {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]}`))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, f := range set.Faults {
		kinds = append(kinds, f.Kind)
	}
	if slices.Sort(kinds); !slices.Equal(kinds, []string{"box-clipped", "duplicate-id"}) {
		t.Errorf("faults %v", set.Faults)
	}
	weak := set.Weak(set.Images[0], 48, 40)
	if err := weak.CheckBoxes(image.Pt(48, 40), set.Classes); err == nil {
		t.Error("the box outside is not named")
	}
	_, err = read(t, []string{"a.png"}, file(`{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, null, 1]},
		{"id": 2, "image_id": 1, "category_id": 1, "iscrowd": 1, "bbox": [0, 0, 9, 9], "segmentation": {"size": [40, 48], "counts": "~~~~"}}`))
	var lines *data.LineErrors
	if !errors.As(err, &lines) || len(lines.Lines) != 2 || !strings.Contains(lines.Lines[1], `annotation 2 (image "a"): run-length text`) {
		t.Errorf("error %v, want both annotations", err)
	}
}

// A size beyond what is read is refused, whatever number stands in a file.
func TestImageSize(t *testing.T) {
	for _, size := range []string{"4294967296", "100000", "9223372036854775807"} {
		file := `{"shapes": [{"label": "x", "shape_type": "rectangle", "points": [[1, 1], [5, 5]]}], "imagePath": "a.png", "imageWidth": ` + size + `, "imageHeight": 48000}`
		if _, err := read(t, []string{"a.png"}, map[string]string{"a.json": file}); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%s: error %v", size, err)
		}
	}
}
