package annotation_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"wsss/data"
)

// picture is a PNG of 48×40 pixels, or of a part, in base64.
func picture(t *testing.T, img image.Image) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// stroke is black where x < 4 and y < 2, transparent elsewhere, as canvases draw.
func stroke(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range 2 {
		for x := range 4 {
			m.SetNRGBA(x, y, color.NRGBA{A: 255})
		}
	}
	return m
}

// via3 is a project of version 3 with regions of one photo.
func via3(metadata string) map[string]string {
	return map[string]string{"via.json": `{"project": {"pid": "p", "rev": "1"}, "config": {}, "attribute": {"1": {"aname": "class", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"0": "y", "1": "x"}}, "2": {"aname": "note", "type": 1, "options": {}}},
		"file": {"1": {"fid": "1", "fname": "a.png", "type": 2}}, "metadata": {` + metadata + `}, "view": {"1": {"fid_list": ["1"]}}}`}
}

// via3Table is a table of version 3 with rows of one photo.
func via3Table(rows string) map[string]string {
	return map[string]string{"via_export.csv": `# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# Notes:
# - spatial_coordinates of [2,10,20,50,80] denotes a rectangle (shape_id=2) of size 50x80 placed at (10,20)
# SHAPE_ID = {"POINT":1,"RECTANGLE":2,"CIRCLE":3,"ELLIPSE":4,"LINE":5,"POLYLINE":6,"POLYGON":7,"EXTREME_RECTANGLE":8,"EXTREME_CIRCLE":9}
# ATTRIBUTE = {"1":{"aname":"class","anchor_id":"FILE1_Z0_XY1","type":4,"desc":"","options":{"0":"y","1":"x"},"default_option_id":""},"2":{"aname":"note","type":1,"options":{}}}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
` + rows}
}

// resaved is such a table as a spreadsheet saves it again: cells end where there were
// commas, and lost the quotes that they began with.
func resaved(sep, rows string) map[string]string {
	head := `# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via);;;;;
# Notes:;;;;;
"# SHAPE_ID = {""POINT"":1";RECTANGLE:2;CIRCLE:3};;;
"# ATTRIBUTE = {""1"":{""aname"":""class""";"anchor_id:""FILE1_Z0_XY1""";type:4;"desc:""""";"options:{""0"":""y""";"1:""x""}";"default_option_id:""""}";"2:{""aname"":""note""";type:1;options:{}}}
# CSV_HEADER = metadata_id;file_list;flags;temporal_coordinates;spatial_coordinates;metadata;;
`
	return map[string]string{"via_export.csv": "\ufeff" + strings.ReplaceAll(strings.ReplaceAll(head+rows, ";", sep), "\n", "\r\n")}
}

// voc is a file of one object, which has a name and what is given.
func voc(photo, object string) map[string]string {
	return map[string]string{photo + ".xml": `<annotation><filename>` + photo + `.png</filename><size><width>48</width><height>40</height><depth>3</depth></size><object><name>x</name>` + object + `</object></annotation>`}
}

// What tools write beside the plain case: the box of the one object, and its
// pixels where it has an outline.
func TestQuirks(t *testing.T) {
	rect := `{"label": "x", "shape_type": "rectangle", "points": [[4, 5], [20, 30]]}`
	at := data.Box{X0: 4, Y0: 5, X1: 20, Y1: 30, Class: 1}
	small := data.Box{X1: 4, Y1: 2, Class: 1}
	quarter := data.Box{X0: 12, Y0: 10, X1: 24, Y1: 20, Class: 1}
	region := `"shape_attributes": {"name": "rect", "x": 4, "y": 5, "width": 16, "height": 25}, "region_attributes": `
	for name, c := range map[string]struct {
		photo string
		files map[string]string
		box   data.Box
		area  int // of the truth, 0: none
	}{
		"labelme sorted by key, with the photo inside": {"a.png", map[string]string{"a.json": `{"flags": {}, "imageData": "` + strings.Repeat("A", 1<<15) + `", "imageHeight": 40, "imagePath": "a.png", "imageWidth": 48, "shapes": [` + rect + `], "version": "5"}`}, at, 0},
		"labelme numbers of other types":               {"a.png", map[string]string{"a.json": `{"version": "5", "flags": {}, "imagePath": "a.png", "imageHeight": 40.0, "imageWidth": "48", "shapes": [{"label": 7, "group_id": "g", "shape_type": "rectangle", "points": [[4, 5], [20, 30]]}]}`}, at, 0},
		"X-AnyLabeling box at an angle":                {"a.png", labelme(`{"label": "x", "shape_type": "rotation", "points": [[12, 5], [20, 12], [12, 30], [4, 20]], "direction": 0.7}`), at, 0},
		"Label Studio bitmask":                         {"a.png", studio(studioRegion("bitmasklabels", `"imageDataURL": "data:image/png;base64,`+picture(t, stroke(48, 40))+`", "bitmasklabels": ["x"]`)), small, 8},
		"Label Studio sizes with fractions":            {"a.png", studio(strings.ReplaceAll(studioRegion("rectanglelabels", studioBox), "48", "48.0")), quarter, 0},
		"Label Studio task in a file of its own":       {"a.png", map[string]string{"1.json": `{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [` + studioRegion("rectanglelabels", studioBox) + `]}], "predictions": []}`}, quarter, 0},
		"Label Studio annotation in a storage":         {"a.png", map[string]string{"7.json": `{"id": 7, "result": [` + studioRegion("rectanglelabels", studioBox) + `], "was_cancelled": false, "task": {"id": 1, "data": {"image": "a.png"}}}`}, quarter, 0},
		"Label Studio name with a question mark":       {"what?#1.png", map[string]string{"p.json": `[{"id": 1, "data": {"image": "what?#1.png"}, "annotations": [{"result": [` + studioRegion("rectanglelabels", studioBox) + `]}]}]`}, quarter, 0},
		"Label Studio upload of a name with spaces":    {"IMG (1) ä.png", map[string]string{"p.json": `[{"id": 1, "data": {"image": "/data/upload/1/0123abcd-IMG_1_%C3%A4.png"}, "annotations": [{"result": [` + studioRegion("rectanglelabels", studioBox) + `]}]}]`}, quarter, 0},
		"VIA without attributes":                       {"a.png", map[string]string{"via.json": `{"a.png1": {"filename": "a.png", "size": 1, "regions": {"0": {` + region + `{}}}}}`}, at, 0},
		"VIA class as a number":                        {"a.png", map[string]string{"via.json": `{"a.png1": {"filename": "a.png", "size": 1, "regions": [{` + region + `{"class": 3}}]}}`}, at, 0},
		"VIA table without attributes":                 {"a.png", map[string]string{"via.csv": "filename,region_shape_attributes,region_attributes\na.png,\"{\"\"name\"\":\"\"rect\"\",\"\"x\"\":4,\"\"y\"\":5,\"\"width\"\":16,\"\"height\"\":25}\",\n"}, at, 0},
		"VIA 3 rectangle":                              {"a.png", via3(`"1_a": {"vid": "1", "flg": 0, "z": [], "xy": [2, 4, 5, 16, 25], "av": {"1": "1", "2": "seen"}}`), at, 0},
		"VIA 3 extreme rectangle":                      {"a.png", via3(`"1_a": {"vid": "1", "z": [], "xy": [8, 10, 5, 20, 9, 10, 30, 4, 9], "av": {"1": "1"}}`), at, 0},
		"VIA 3 polygon, and the whole photo":           {"a.png", via3(`"1_a": {"vid": "1", "z": [], "xy": [7, 0, 0, 4, 0, 4, 2, 0, 2], "av": {"1": "1"}}, "1_b": {"vid": "1", "z": [], "xy": [], "av": {"2": "dark"}}`), small, 8},
		"VIA 3 table":                                  {"a.png", via3Table(`"1_a","[""a.png""]",0,"[]","[2,4,5,16,25]","{""1"":""1"",""2"":""seen""}"` + "\n" + `"1_b","[""a.png""]",0,"[]","[]","{""2"":""dark""}"`), at, 0},
		"VIA 3 table out of a spreadsheet":             {"a.png", resaved(";", `1_a;"[""a.png""]";0;[];[2,4,5,16,25];"{""1"":""1""}"`+"\n;;;;;\n"), at, 0},
		"VIA 3 table of commas, out of a spreadsheet":  {"a.png", resaved(",", `1_a,"[""a.png""]",0,[],"[2,4,5,16,25]","{""1"":""1""}"`+"\n"), at, 0},
		"VIA 2 table out of a spreadsheet":             {"a.png", map[string]string{"via.csv": "\ufefffilename;file_size;region_shape_attributes;region_attributes\r\na.png;1;\"{\"\"name\"\":\"\"rect\"\",\"\"x\"\":4,\"\"y\"\":5,\"\"width\"\":16,\"\"height\"\":25}\";\"{\"\"class\"\":\"\"x\"\"}\"\r\n"}, at, 0},
		"VIA 3 table of polygons":                      {"a.png", via3Table(`"1_a","[""sub/a.png""]",0,"[]","[7,0,0,4,0,4,2,0,2]","{""1"":""1""}"`), small, 8},
		"roLabelImg's turned box":                      {"a.png", voc("a", `<type>robndbox</type><robndbox><cx>12</cx><cy>17.5</cy><w>25</w><h>16</h><angle>1.5707963267948966</angle></robndbox>`), at, 0},
		"Supervisely bitmap in black":                  {"a.png", sly(packed(t, stroke(5, 4))), small, 8},
		"Supervisely bitmap, all of it":                {"a.png", sly("eJzrDPBz5+WS4mJgYOD19HAJAtIsQMzEwQYk61fUJgMpYU8Xx5CKW8kpCQk/zjewzJC4wMAg58HI/P3c5kygNIOnq5/LOqeEJgBVahMP"), small, 8},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, []string{c.photo}, c.files)
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Images) != 1 || len(set.Faults) > 0 {
				t.Fatalf("%d images, faults %v", len(set.Images), set.Faults)
			}
			if boxes := set.Weak(set.Images[0], 48, 40).Boxes; !slices.Equal(boxes, []data.Box{c.box}) {
				t.Errorf("boxes %v, want %v", boxes, c.box)
			}
			m, err := set.Truth(set.Images[0], 48, 40)
			if (err == nil) != (c.area > 0) {
				t.Fatalf("truth: error %v", err)
			}
			if err == nil && len(m.Pix)-bytes.Count(m.Pix, []byte{0}) != c.area {
				t.Errorf("%d pixels, want %d", len(m.Pix)-bytes.Count(m.Pix, []byte{0}), c.area)
			}
		})
	}
}

// sly is a bitmap of Supervisely at the upper left corner.
func sly(packed string) map[string]string {
	return map[string]string{"ann/a.png.json": `{"size": {"width": 48, "height": 40}, "tags": [], "objects": [{"classTitle": "x", "geometryType": "bitmap", "bitmap": {"origin": [0, 0], "data": "` + packed + `"}}]}`}
}

// studioBox is a rectangle of Label Studio.
const studioBox = `"x": 25, "y": 25, "width": 25, "height": 25, "rotation": 0, "rectanglelabels": ["x"]`

// predicted is a task that a model labelled.
func predicted(photo string) string {
	return `{"id": 1, "data": {"image": "` + photo + `"}, "annotations": [], "predictions": [{"result": [` + studioRegion("rectanglelabels", studioBox) + `]}]}`
}

// What would be lost is refused, or told.
func TestNothingIsLost(t *testing.T) {
	two := `{"label": "x", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}`
	for name, c := range map[string]struct {
		files map[string]string
		fails []string
		says  string // the fault, where it can be read
	}{
		"a region of a new kind":     {files: studio(studioRegion("vectorlabels", `"vertices": [], "vectorlabels": ["x"]`)), fails: []string{"p.json", "task 1", "vectorlabels", "allowed are rectangle"}},
		"a region without a class":   {files: studio(studioRegion("rectangle", `"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0`)), says: "a rectangle has no class"},
		"a region of two classes":    {files: studio(studioRegion("rectanglelabels", `"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["x", "y"]`)), says: "has the classes x, y: the first"},
		"a bitmask of another photo": {files: studio(studioRegion("bitmasklabels", `"imageDataURL": "data:image/png;base64,`+picture(t, stroke(5, 5))+`", "bitmasklabels": ["x"]`)), fails: []string{"5×5", "48×40"}},
		"a stroke that was erased":   {files: studio(studioRegion("bitmasklabels", `"imageDataURL": "data:image/png;base64,`+picture(t, image.NewNRGBA(image.Rect(0, 0, 48, 40)))+`", "bitmasklabels": ["x"]`)), says: "covers no pixel"},
		"predictions alone":          {files: map[string]string{"p.json": "[" + predicted("a.png") + "," + predicted("b.png") + "]"}, fails: []string{"p.json: 2 tasks have predictions and no annotations", "accept them as annotations"}},
		"predictions of one task":    {files: map[string]string{"1.json": `{"id": 1, "data": {"image": "a.png"}, "predictions": [{"result": []}]}`}, fails: []string{"1.json: 1 task has predictions and no annotations"}},
		"predictions beside labels":  {files: map[string]string{"p.json": "[" + predicted("a.png") + "," + strings.TrimPrefix(studio(studioRegion("rectanglelabels", studioBox))["p.json"], "[")}, says: "p.json: 1 task has predictions and no annotations"},
		"a photo turned in the tool": {files: studio(strings.Replace(studioRegion("rectanglelabels", studioBox), `"value"`, `"image_rotation": 90, "value"`, 1)), fails: []string{"p.json: task 1: result 1 (rectanglelabels): image_rotation = 90", "allowed is 0"}},
		"a mask beside the photo":    {files: cvat(`<mask label="x" rle="0, 4" left="60" top="3" width="2" height="2"/>`), fails: []string{"annotations.xml", "mask 1", "covers no pixel"}},
		"an empty labelme file":      {files: map[string]string{"b.json": "", "a.json": labelme(two)["a.json"]}, fails: []string{"b.json:1"}},
		"a YOLO file of words":       {files: map[string]string{"a.txt": "0 0.5 0.5 0.1 0.1\n", "b.txt": "bolt 0.5 0.5 0.1 0.1\n"}, fails: []string{"b.txt:1", `"bolt" is not a number`}},
		"a YOLO file of no photo":    {files: map[string]string{"a.txt": "0 0.5 0.5 0.1 0.1\n", "gone.txt": "0 0.5 0.5 0.1 0.1\n"}, says: "lost gone.txt"},
		"an export in two files":     {files: map[string]string{"1/annotations.xml": cvat(`<box label="x" xtl="1" ytl="1" xbr="9" ybr="9"/>`)["annotations.xml"], "2/annotations.xml": cvat(`<box label="x" xtl="1" ytl="1" xbr="9" ybr="9"/>`)["annotations.xml"]}, says: "1 object is there twice"},
		"a video of VIA 3":           {files: via3(`"1_a": {"vid": "1", "z": [1.5], "xy": [2, 4, 5, 16, 25], "av": {"1": "1"}}`), fails: []string{"via.json", "1_a", "video"}},
		"a video's row of VIA 3":     {files: via3Table(`"1_a","[""a.png""]",0,"[1.5]","[2,4,5,16,25]","{""1"":""1""}"`), fails: []string{"via_export.csv:7: ", "video"}},
		"a VOC object without a box": {files: map[string]string{
			"a.xml": voc("a", "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>")["a.xml"], "b.xml": voc("b", "<circle><r>4</r></circle>")["b.xml"],
		}, says: `object 1 ("x") has no bndbox`},
		"a row of two photos":                   {files: via3Table("\n" + `"1_a","[""a.png"",""b.png""]",0,"[]","[2,4,5,16,25]","{""1"":""1""}"`), fails: []string{"via_export.csv:8: file_list of 2 files: allowed is one"}},
		"a row that is cut off":                 {files: via3Table(`"1_a","[""a.png""]",0,"[]","[2,4,","{""1"":""1""}"`), fails: []string{"via_export.csv:7: spatial_coordinates: "}},
		"attributes that a spreadsheet changed": {files: map[string]string{"v.csv": strings.Replace(resaved(";", "")["via_export.csv"], `""aname"":""class""`, "aname=class", 1)}, fails: []string{"v.csv:4: ATTRIBUTE: ", "export it from VIA once more"}},
		"a table of videos":                     {files: map[string]string{"v.csv": "# Exported using VGG Image Annotator (x)\n# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata\n"}, fails: []string{"v.csv:1: ", "needed are file_list, spatial_coordinates and metadata"}},
		"a shape of VIA 3":                      {files: via3(`"1_a": {"vid": "1", "z": [], "xy": [9, 1, 1, 2, 2, 3, 3], "av": {"1": "1"}}`), fails: []string{"shape 9", "allowed are point (1)"}},
		"some VIA regions unnamed": {files: map[string]string{"via.json": `{"a": {"filename": "a.png", "regions": [{"shape_attributes": {"name": "point", "cx": 1, "cy": 1}, "region_attributes": {"class": "x"}}, {"shape_attributes": {"name": "point", "cx": 1, "cy": 1}, "region_attributes": {}}]}}`},
			fails: []string{"region 2", "no attribute names its class"}},
		"VIA numbers as text": {files: map[string]string{"via.json": `{"a": {"filename": "a.png", "regions": [{"shape_attributes": {"name": "point", "cx": "1", "cy": 1}, "region_attributes": {"class": "x"}}]}}`},
			fails: []string{`"a.png"`, `shape_attributes.cx" holds a string`}},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, []string{"a.png", "b.png"}, c.files)
			if c.fails != nil {
				for _, want := range c.fails {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error %v lacks %q", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, f := range set.Faults {
				said += f.Message + "\n"
			}
			if set.Lost > 0 {
				said += "lost " + strings.Join(set.Skipped, " ")
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("it says %q, want %q", said, c.says)
			}
		})
	}
}

// All bad files and items are listed, not the first alone.
func TestAllFaultsAreListed(t *testing.T) {
	far := `{"version": "5", "flags": {}, "imagePath": "a.png", "shapes": [{"label": "x", "shape_type": "rectangle", "points": [[1, 1], [2e9, 9]]}]}`
	image := func(name string) string {
		return `<image name="` + name + `" width="48" height="40"><box label="x" xtl="1" ytl="1" xbr="2e9" ybr="9"/></image>` + "\n"
	}
	task := func(name string) string {
		return `{"id": 1, "data": {"image": "` + name + `"}, "annotations": [{"result": [` + studioRegion("rectanglelabels", `"x": 1, "y": 1, "width": 2e9, "height": 5, "rotation": 0, "rectanglelabels": ["x"]`) + `]}]}`
	}
	via := func(name string) string {
		return `"` + name + `": {"filename": "` + name + `", "regions": [{"shape_attributes": {"name": "rect", "x": 1, "y": 1, "width": 2e9, "height": 5}, "region_attributes": {"class": "x"}}]}`
	}
	box := func(name string) string {
		return `{"images": [{"id": 1, "file_name": "` + name + `", "width": 48, "height": 40}], "categories": [{"id": 1, "name": "x"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, null, 1]}]}`
	}
	for name, files := range map[string]map[string]string{
		"labelme":     {"a.json": far, "b.json": strings.ReplaceAll(far, "a.png", "b.png")},
		"yolo":        {"a.txt": "0 0.5 0.5 7 0.1\n", "b.txt": "0 0.5 0.5 0.1 7\n"},
		"coco, two":   {"a.json": box("a.png"), "b.json": box("b.png")},
		"cvat, two":   {"a.xml": "<annotations>\n" + image("a.png") + "</annotations>", "b.xml": "<annotations>\n" + image("b.png") + "</annotations>"},
		"cvat":        {"x.xml": "<annotations>\n" + image("a.png") + image("b.png") + "</annotations>"},
		"labelstudio": {"p.json": "[" + task("a.png") + "," + task("b.png") + "]"},
		"via":         {"v.json": "{" + via("a.png") + "," + via("b.png") + "}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, []string{"a.png", "b.png"}, files)
			lines := errorLines(t, err)
			if len(lines) != 2 {
				t.Errorf("%d lines %q, want 2", len(lines), lines)
			}
			for file := range files {
				if file[0] != 'b' && !strings.Contains(lines[0], file) {
					t.Errorf("%q does not name %s", lines[0], file)
				}
			}
		})
	}
}

// A box that covers nothing is left out, and told; where all do, their numbers mean
// something else.
func TestFlatBoxes(t *testing.T) {
	shape := func(x int) string {
		return fmt.Sprintf(`{"label": "x", "shape_type": "rectangle", "points": [[1, 1], [%d, 9]]}`, x)
	}
	piece := func(x int) string {
		return fmt.Sprintf(`{"label": "x", "group_id": 1, "shape_type": "polygon", "points": [[1, 1], [%d, 9], [1, 5]]}`, x)
	}
	box := func(x int) string { return fmt.Sprintf(`<box label="x" xtl="1" ytl="1" xbr="%d" ybr="9"/>`, x) }
	region := func(w int) string {
		return fmt.Sprintf(`{"shape_attributes": {"name": "rect", "x": 1, "y": 1, "width": %d, "height": 5}, "region_attributes": {"class": "x"}}`, w)
	}
	rect := func(w int) string {
		return studioRegion("rectanglelabels", fmt.Sprintf(`"x": 1, "y": 1, "width": %d, "height": 5, "rotation": 0, "rectanglelabels": ["x"]`, w))
	}
	for name, c := range map[string]struct {
		files func(flat, good int) map[string]string // the far sides of two boxes
		says  string
	}{
		"labelme":         {func(f, g int) map[string]string { return labelme(shape(f) + "," + shape(g)) }, `a.json: shape 1 ("x")`},
		"labelme, pieces": {func(f, g int) map[string]string { return labelme(piece(f) + "," + piece(g)) }, `a.json: shape 1 ("x")`},
		"cvat":            {func(f, g int) map[string]string { return cvat(box(f) + box(g)) }, `annotations.xml: image "a.png": box 1`},
		"labelstudio":     {func(f, g int) map[string]string { return studio(rect(f-1) + "," + rect(g-1)) }, "p.json"},
		"yolo": {func(f, g int) map[string]string {
			return map[string]string{"a.txt": fmt.Sprintf("0 0.5 0.5 0.%d 0.5\n0 0.5 0.5 0.%d 0.5\n", f-1, g-1), "classes.txt": "x\n"}
		}, "a.txt:1: box"},
		"coco": {func(f, g int) map[string]string {
			return map[string]string{"c.json": fmt.Sprintf(`{"images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}], "categories": [{"id": 1, "name": "x"}],
				"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, %d, 9]}, {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 1, %d, 9]}]}`, f-1, g-1)}
		}, `c.json: annotation 1 (image "a")`},
		"via": {func(f, g int) map[string]string {
			return map[string]string{"v.json": `{"a": {"filename": "a.png", "regions": [` + region(f-1) + "," + region(g-1) + `]}}`}
		}, `v.json: image "a.png": region 1`},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, []string{"a.png"}, c.files(1, 6))
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Images) != 1 || len(set.Images[0].Objects) != 1 || len(set.Faults) != 1 || !set.Faults[0].Warning ||
				!strings.Contains(set.Faults[0].Message, c.says) || !strings.HasSuffix(set.Faults[0].Message, "it is left out") {
				t.Errorf("images %+v, faults %v, want one object and %q", set.Images, set.Faults, c.says)
			}
			if _, err := read(t, []string{"a.png"}, c.files(1, 1)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("all are flat: error %v lacks %q", err, c.says)
			}
		})
	}
}

// errorLines are the lines of an error that lists several.
func errorLines(t *testing.T, err error) (lines []string) {
	t.Helper()
	list := (*data.LineErrors)(nil)
	if !errors.As(err, &list) {
		t.Fatalf("error %v, want a list", err)
	}
	for i := range list.Lines {
		lines = append(lines, list.Text(i))
	}
	return lines
}

// packed is what Supervisely makes of a mask.
func packed(t *testing.T, img image.Image) string {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if err := errors.Join(png.Encode(z, img), z.Close()); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}
