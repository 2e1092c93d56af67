package annotation_test

import (
	"image"
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
