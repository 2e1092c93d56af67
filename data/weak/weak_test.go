package weak

import (
	"image"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wsss/data"
	"wsss/data/datatest"
)

var animals = data.Classes{Names: []string{"background", "cat", "dog", "polar bear"}}

// voc has as many classes as VOC; only their number counts here.
var voc = data.Classes{Names: make([]string, 21)}

func checkErr(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("error spans lines: %q", err)
	}
}

func TestParseList(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []Row
		err        string
	}{
		{"ids", "2007_000032\n\n2007_000039\r\n", []Row{{ID: "2007_000032", Path: "2007_000032"}, {ID: "2007_000039", Path: "2007_000039"}}, ""},
		{"classes count from 0", "a 2 0 2\n", []Row{{ID: "a", Path: "a", Tags: []int{1, 3}}}, ""},
		{"image and mask", "/JPEGImages/a.jpg /Seg/a.png\n", []Row{{ID: "a", Path: "JPEGImages/a", Image: "/JPEGImages/a.jpg", Mask: "/Seg/a.png"}}, ""},
		{"image", "JPEGImages/a.JPG\n", []Row{{ID: "a", Path: "JPEGImages/a", Image: "JPEGImages/a.JPG"}}, ""},
		{"class too large", "x 0\na 3\n", nil, "line 2: class number 3: allowed are 0..2"},
		{"negative class", "a -1\n", nil, "line 1: class number -1"},
		{"no number", "a b\n", nil, `"b" is neither a mask path nor a class number`},
		{"twice", "a\nb\na\n", nil, `line 3: "a" is on line 1 already`},
		{"folder", "..\n", nil, "is no image name"},
		{"long line", strings.Repeat("x", 1<<17), nil, "line 1: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows, err := ParseList(strings.NewReader(tc.text), 4)
			if tc.err != "" {
				checkErr(t, err, tc.err)
				return
			}
			if diff := cmp.Diff(tc.want, rows); err != nil || diff != "" {
				t.Errorf("error %v, rows differ (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParseTagCSV(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       map[string][]int
		err        string
	}{
		{"names and values", "image,tags\na.jpg,dog cat\nb,3\nc,\n", map[string][]int{"a": {1, 2}, "b": {3}, "c": {}}, ""},
		{"name with a space", "a,polar bear;cat\n", map[string][]int{"a": {1, 3}}, ""},
		{"columns", "a,cat,polar bear\n", map[string][]int{"a": {1, 3}}, ""},
		{"byte order mark", "\ufeffid,tags\na,1\n", map[string][]int{"a": {1}}, ""},
		{"unknown", "a,1\nb,bird\n", nil, `line 2: tag "bird" is neither a class name nor a label value 1..3`},
		{"background", "a,0\n", nil, `line 1: tag "0"`},
		{"twice", "a,1\na.png,2\n", nil, `line 2: "a" has a line already`},
		{"bad quote", "a,\"1\n", nil, "quote"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tags, err := ParseTagCSV(strings.NewReader(tc.text), animals)
			if tc.err != "" {
				checkErr(t, err, tc.err)
				return
			}
			if diff := cmp.Diff(tc.want, tags); err != nil || diff != "" {
				t.Errorf("error %v, tags differ (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParsePoints(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       map[string][]data.Point
		err        string
	}{
		{"clicks", `{"a": [{"x": 3, "y": 4.9, "cls": 2, "rank": 1}], "b.jpg": []}`,
			map[string][]data.Point{"a": {{X: 3, Y: 4, Class: 2, Rank: 1}}, "b": {}}, ""},
		{"list", `[]`, nil, "not a JSON object"},
		{"empty file", ``, nil, "not a JSON object"},
		{"lacks y", `{"a": [{"x": 3, "cls": 2}]}`, nil, "image a: point 1 lacks x, y or cls"},
		{"class", `{"a": [{"x": 3, "y": 1, "cls": 4}]}`, nil, "image a: point 1 has class 4: allowed are 1..3"},
		{"class fraction", `{"a": [{"x": 3, "y": 1, "cls": 1.5}]}`, nil, "has class 1.5"},
		{"twice", `{"a": [], "a": []}`, nil, "image a occurs twice"},
		{"wrong type", `{"a": {"x": 1}}`, nil, "image a: "},
		{"cut off", `{"a": []`, nil, "unexpected end of JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			points, err := ParsePoints(strings.NewReader(tc.text), 4)
			if tc.err != "" {
				checkErr(t, err, tc.err)
				return
			}
			if diff := cmp.Diff(tc.want, points); err != nil || diff != "" {
				t.Errorf("error %v, points differ (-want +got):\n%s", err, diff)
			}
		})
	}
	inside, outside := PointsInside([]data.Point{{X: 0, Y: 0}, {X: 5, Y: 0}, {X: 4, Y: 2}, {X: 0, Y: -1}}, 5, 3)
	if len(inside) != 2 || outside != 2 {
		t.Errorf("%d points inside, %d outside: want 2 and 2", len(inside), outside)
	}
}

const catXML = `<annotation><size><width>10</width><height>8</height><depth>3</depth></size>
<object><name>cat</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>4</ymax></bndbox>
 <part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part></object>
<object><name>dragon</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>
<object><bndbox><xmax>12</xmax><xmin>3</xmin><ymin>1</ymin><ymax>9</ymax></bndbox><name>dog</name><difficult>0</difficult></object>
</annotation>`

func TestParseVOCXML(t *testing.T) {
	a, err := ParseVOCXML(strings.NewReader(catXML), animals)
	want := &Annotation{W: 10, H: 8, Tags: []int{1, 2}, Boxes: []data.Box{
		{X0: 0, Y0: 1, X1: 10, Y1: 4, Class: 1, Difficult: true},
		{X0: 2, Y0: 0, X1: 10, Y1: 8, Class: 2},
	}, Other: []string{"dragon"}, Notes: []string{`object 3 ("dog"): its box (2,0)-(12,9) reaches out of the image of 10×8: it is clipped`}}
	if diff := cmp.Diff(want, a, cmpopts.IgnoreUnexported(Annotation{})); err != nil || diff != "" {
		t.Errorf("error %v, annotation differs (-want +got):\n%s", err, diff)
	}
	for _, tc := range []struct{ name, text, err string }{
		{"empty", "", "no XML element"},
		{"cut off", catXML[:len(catXML)/2], "EOF"},
		{"coordinate", strings.Replace(catXML, "<xmin>1<", "<xmin>left<", 1), `line 2: box coordinate "left" is not a pixel`},
		{"outside", strings.NewReplacer("<xmin>1<", "<xmin>11<", "<xmax>10<", "<xmax>14<").Replace(catXML), `object 1 ("cat"): its box (10,1)-(14,4) covers no pixel of the image of 10×8`},
		{"size", strings.Replace(catXML, ">10</width", ">-1</width", 1), `line 1: image side "-1"`},
		{"deep", strings.Repeat("<a>", 50), "XML nests deeper than 32"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseVOCXML(strings.NewReader(tc.text), animals)
			checkErr(t, err, tc.err)
		})
	}
}

const scribbleXML = `<annotation><size><width>10</width><height>8</height></size><segmented>1</segmented>
<polygon><tag>background</tag><point><X>1</X><Y>1</Y></point><point><X>12</X><Y>8</Y></point></polygon>
<polygon><tag>sky</tag><point><X>1</X><Y>1</Y></point></polygon>
<polygon><tag>dog</tag><point><X>5</X><Y>5</Y></point></polygon></annotation>`

func TestParseScribbles(t *testing.T) {
	names := map[string]int{"background": 0, "cat": 1, "dog": 2}
	for base, first := range []image.Point{image.Pt(1, 1), image.Pt(0, 0)} {
		s, err := ParseScribbles(strings.NewReader(scribbleXML), base, names)
		if err != nil {
			t.Fatal(err)
		}
		if moved := s.Clamp(s.W, s.H); moved != 1 || s.Unknown != 1 {
			t.Errorf("base %d: %d points moved, %d unknown lines", base, moved, s.Unknown)
		}
		want := []data.Scribble{
			{Class: 0, Points: []image.Point{first, image.Pt(9, 7)}},
			{Class: 2, Points: []image.Point{image.Pt(5-base, 5-base)}},
		}
		if diff := cmp.Diff(want, s.Lines); diff != "" {
			t.Errorf("base %d: lines differ (-want +got):\n%s", base, diff)
		}
	}
	_, err := ParseScribbles(strings.NewReader(scribbleXML), 2, names)
	checkErr(t, err, "scribble base 2: allowed are 0 and 1")
	_, err = ParseScribbles(strings.NewReader(strings.Replace(scribbleXML, "<Y>1</Y>", "", 1)), 0, names)
	checkErr(t, err, "line 2: scribble point lacks X or Y")
}

func TestDetectBase(t *testing.T) {
	file := func(x, y string) string {
		return `<a><size><width>10</width><height>8</height></size><polygon><tag>t</tag><point><X>` + x + `</X><Y>` + y + `</Y></point></polygon></a>`
	}
	for _, tc := range []struct {
		name, text string
		want       int
		err        string
	}{
		{"zero", file("0", "3"), 0, ""},
		{"one", file("10", "3"), 1, ""},
		{"no evidence", file("4", "3"), 0, "set data.options.scribble_base"},
		{"both", file("0", "8"), 0, "set data.options.scribble_base"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			datatest.Write(t, filepath.Join(dir, "a.xml"), tc.text)
			got, err := DetectBase(dir)
			if tc.err != "" {
				checkErr(t, err, tc.err)
			} else if err != nil || got != tc.want {
				t.Errorf("base %d, error %v: want %d", got, err, tc.want)
			}
		})
	}
}

// TestFilesNamed checks that errors begin with the file.
func TestFilesNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.txt")
	datatest.Write(t, path, "a 9\n")
	_, err := ReadList(path, 4)
	checkErr(t, err, path+": line 1: ")
	_, err = ReadTags(strings.TrimSuffix(path, ".txt")+".xls", animals, nil)
	checkErr(t, err, "image tags are read from .npy, .txt and .csv")
	r := &boundedReader{r: strings.NewReader("123456"), left: 4, limit: 4}
	if _, err := ParseList(r, 4); err == nil {
		t.Error("a file over the limit passed for a whole one")
	}
}

// TestPublishedFiles reads the lists and labels that the field publishes.
func TestPublishedFiles(t *testing.T) {
	lists := datatest.Path(t, "voc_lists")
	for name, want := range map[string]int{
		"seam/voc12/train.txt": 1464, "seam/voc12/val.txt": 1449, "seam/voc12/train_aug.txt": 10582, "seam/voc12/test.txt": 1456,
		"clip-es/voc12/train_aug.txt": 10582, "clip-es/voc12/trainval.txt": 2913, "excel/test.txt": 1456,
	} {
		rows, err := ReadList(filepath.Join(lists, name), 21)
		if err != nil || len(rows) != want {
			t.Errorf("%s: %d rows, error %v: want %d", name, len(rows), err, want)
		}
	}
	seam, err := ReadTags(filepath.Join(lists, "seam/voc12/cls_labels.npy"), voc, nil)
	if err != nil {
		t.Fatal(err)
	}
	onehot, err := ReadTags(filepath.Join(lists, "weclip/cls_labels_onehot.npy"), voc, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(seam, onehot); len(seam) != 12031 || diff != "" {
		t.Errorf("%d images; two publications of the labels differ:\n%.500s", len(seam), diff)
	}
	if diff := cmp.Diff([]int{1, 15}, seam["2007_000032"]); diff != "" {
		t.Errorf("2007_000032 shows an aeroplane and persons (-want +got):\n%s", diff)
	}
	rows, err := ReadList(datatest.Path(t, "coco_lists", "clip-es", "coco14", "train.txt"), 81)
	if err != nil || len(rows) != 82081 {
		t.Fatalf("%d rows, error %v: want 82081", len(rows), err)
	}
	if diff := cmp.Diff(Row{ID: "COCO_train2014_000000000009", Path: "COCO_train2014_000000000009", Tags: []int{46, 50, 51}}, rows[0]); diff != "" {
		t.Errorf("first row differs (-want +got):\n%s", diff)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte(catXML))
	f.Add([]byte(scribbleXML))
	f.Add([]byte("a 1 2\nJPEGImages/b.jpg c/b.png\n"))
	f.Add([]byte(`{"a": [{"x": 3, "y": 4.9, "cls": 2, "rank": 1e99}]}`))
	f.Add([]byte(".jpg"))
	f.Add([]byte("id,tags\na,cat;polar bear\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := string(raw)
		if a, err := ParseVOCXML(strings.NewReader(text), animals); err == nil {
			for _, b := range a.Boxes {
				if b.Class < 1 || b.Class > 3 || b.X0 < 0 || b.X0 >= b.X1 || b.Y0 >= b.Y1 {
					t.Errorf("bad box %+v", b)
				}
			}
		}
		if s, err := ParseScribbles(strings.NewReader(text), 1, map[string]int{"cat": 1}); err == nil {
			s.Clamp(7, 5)
			for _, line := range s.Lines {
				for _, p := range line.Points {
					if !p.In(image.Rect(0, 0, 7, 5)) {
						t.Errorf("point %v outside", p)
					}
				}
			}
		}
		if rows, err := ParseList(strings.NewReader(text), 4); err == nil {
			for _, r := range rows {
				if r.ID == "" || strings.Contains(r.ID, "/") {
					t.Errorf("bad id %q", r.ID)
				}
			}
		}
		if points, err := ParsePoints(strings.NewReader(text), 4); err == nil {
			for _, list := range points {
				PointsInside(list, 7, 5)
			}
		}
		if tags, err := ParseTagCSV(strings.NewReader(text), animals); err == nil {
			for id, list := range tags {
				for _, c := range list {
					if c < 1 || c > 3 {
						t.Errorf("%s has tag %d", id, c)
					}
				}
			}
		}
	})
}
