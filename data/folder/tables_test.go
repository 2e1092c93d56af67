package folder

import (
	"slices"
	"strings"
	"testing"

	"wsss/data"
)

// Tables of other names and layouts, as tools leave them beside the photos.
func TestOtherTables(t *testing.T) {
	box := []data.Box{{X0: 1, Y0: 2, X1: 4, Y1: 6, Class: 1}}
	for name, c := range map[string]struct {
		files map[string]string
		want  data.WeakLabels
		names string
	}{
		"Roboflow's boxes": {map[string]string{"train/_annotations.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,8,6,cat,1,2,4,6\n"},
			data.WeakLabels{Tags: []int{1}, Boxes: box}, "background cat"},
		"Roboflow's tags": {map[string]string{"train/_classes.csv": "filename, dog, cat\na.png, 0, 1\n"},
			data.WeakLabels{Tags: []int{1}}, "background cat dog"},
		"a column for each class": {map[string]string{"labels.csv": "image;Background;Cat;dog\ntrain/a.png;1;1.0;\n"},
			data.WeakLabels{Tags: []int{1}}, "background Cat dog"},
		"a table of any name": {map[string]string{"my labels.csv": "image_id,label\na,cat\n"},
			data.WeakLabels{Tags: []int{1}}, "background cat"},
		"corner and sides": {map[string]string{"labels.csv": "image,class,x,y,width,height\ntrain/a,cat,1,2,3,4\n"},
			data.WeakLabels{Tags: []int{1}, Boxes: box}, "background cat"},
		"corner of another name": {map[string]string{"labels.csv": "file_path,label,left,top,width,height\ntrain/a,cat,1,2,3,4\n"},
			data.WeakLabels{Tags: []int{1}, Boxes: box}, "background cat"},
		"points beside the photo's size": {map[string]string{"labels.csv": "image,class,x,y,rank,width,height\ntrain/a,cat,1,2,1,8,6\n"},
			data.WeakLabels{Tags: []int{1}, Points: []data.Point{{X: 1, Y: 2, Class: 1, Rank: 1}}}, "background cat"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			picture(t, root, "train/a.png")
			picture(t, root, "valid/b.png")
			for file, text := range c.files {
				put(t, root, file, text)
			}
			d := open(t, root, Options{})
			s, err := d.Load("train/a", data.WantWeak)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Weak; !slices.Equal(got.Tags, c.want.Tags) || !slices.Equal(got.Boxes, c.want.Boxes) || !slices.Equal(got.Points, c.want.Points) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if got := strings.Join(d.Classes().Names, " "); got != c.names {
				t.Errorf("classes %q, want %q", got, c.names)
			}
		})
	}
}

// A table of one thing for each photo is no table of classes, and is left alone.
func TestNoTable(t *testing.T) {
	root := t.TempDir()
	picture(t, root, "a.png")
	put(t, root, "exif.csv", "file,aperture,iso\na.png,5,100\n")
	put(t, root, "classes.txt", "background\ncat\n")
	if d := open(t, root, Options{}); d.Annotations() != nil {
		t.Errorf("read as %s", d.Annotations().Format)
	}
	put(t, root, "labels.csv", "image,cat,dog\na.png,1,2\n")
	if _, err := Open(root, Options{}, 1); err == nil || !strings.Contains(err.Error(), `labels.csv:2: dog = "2": allowed are 0 and 1`) {
		t.Errorf("error %v", err)
	}
}

// Labels of an image of another size are told.
func TestOtherSize(t *testing.T) {
	root := t.TempDir()
	picture(t, root, "a.png")
	put(t, root, "a.json", `{"version": "5", "flags": {}, "imagePath": "a.png", "imageWidth": 640, "imageHeight": 480, "shapes": [{"label": "cat", "shape_type": "rectangle", "points": [[1, 1], [3, 3]]}]}`)
	faults := open(t, root, Options{}).Faults("a")
	if len(faults) != 1 || faults[0].Kind != "size" || faults[0].Warning || !strings.Contains(faults[0].Message, "640×480") {
		t.Errorf("%v", faults)
	}
}

// Names keep some of the classes of a table; what is left out is told.
func TestSomeClasses(t *testing.T) {
	for file, text := range map[string]string{
		"labels.csv":  "image,class,x0,y0,x1,y1\na,cat,1,1,3,3\na,dog,2,2,5,5\nb,cat,1,1,2,2\n",
		"labels.json": `{"a": {"boxes": [{"class": "cat", "x0": 1, "y0": 1, "x1": 3, "y1": 3}, {"class": "dog", "x0": 2, "y0": 2, "x1": 5, "y1": 5}]}, "b": {"boxes": [{"class": "cat", "x0": 1, "y0": 1, "x1": 2, "y1": 2}]}}`,
	} {
		root := t.TempDir()
		picture(t, root, "a.png")
		picture(t, root, "b.png")
		put(t, root, file, text)
		d := open(t, root, Options{Names: []string{"background", "dog"}})
		for id, want := range map[string][]data.Box{"a": {{X0: 2, Y0: 2, X1: 5, Y1: 5, Class: 1}}, "b": {}} {
			s, err := d.Load(id, data.WantWeak)
			if err != nil || !slices.Equal(s.Weak.Boxes, want) || len(s.Weak.Tags) != len(want) {
				t.Errorf("%s: %s: %+v, error %v; want %v", file, id, s.Weak, err, want)
			}
		}
		lines, err := d.Unread()
		if err != nil || len(lines) != 1 || lines[0] != `labels: 2 labels of "cat" left out: it is not in data.options.names` {
			t.Errorf("%s: %q, error %v", file, lines, err)
		}
	}
}

// A box that covers nothing is left out and told, where others cover something.
func TestFlatBoxes(t *testing.T) {
	for name, c := range map[string]struct{ file, text, says string }{
		"csv":   {"labels.csv", "image,class,x0,y0,x1,y1\na,cat,1,1,1,5\na,cat,1,1,3,3\n", "labels.csv:2: box (1,1)-(1,5) is empty"},
		"json":  {"labels.json", `{"a": {"boxes": [{"class": "cat", "x0": 1, "y0": 1, "x1": 3, "y1": 3}, {"class": "cat", "x0": 2, "y0": 2, "x1": 2, "y1": 5}]}}`, `labels.json: image "a": boxes[1]: box (2,2)-(2,5)`},
		"table": {"any.csv", "image,class,x0,y0,x1,y1\na,cat,1,1,1,5\na,cat,1,1,3,3\n", "any.csv:2: box (1,1)-(1,5) is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			picture(t, root, "a.png")
			put(t, root, c.file, c.text)
			d := open(t, root, Options{Names: []string{"background", "cat"}})
			s, err := d.Load("a", data.WantWeak)
			if err != nil || !slices.Equal(s.Weak.Boxes, []data.Box{{X0: 1, Y0: 1, X1: 3, Y1: 3, Class: 1}}) {
				t.Errorf("%+v, error %v", s.Weak, err)
			}
			faults, lines := d.FileFaults(""), d.LeftOut()
			if len(faults) != 1 || !faults[0].Warning || !strings.Contains(faults[0].Message, c.says) || len(lines) != 1 || !strings.Contains(lines[0], c.says) {
				t.Errorf("faults %v, lines %q", faults, lines)
			}
		})
	}
	root := t.TempDir()
	picture(t, root, "a.png")
	put(t, root, "labels.csv", "image,class,x0,y0,x1,y1\na,dog,0,0,0,0\na,cat,0,0,2,2\n")
	if d := open(t, root, Options{}); d.Classes().Len() != 3 {
		t.Errorf("classes %v: that of the box left out is one", d.Classes().Names)
	}
	put(t, root, "labels.csv", "image,class,x0,y0,x1,y1\na,cat,0,0,0,0\na,cat,0,0,0,1\n")
	if _, err := Open(root, Options{Names: []string{"background", "cat"}}, 1); err == nil || !strings.Contains(err.Error(), "labels.csv:2: box (0,0)-(0,0) is empty") {
		t.Errorf("all are flat: error %v", err)
	}
}

// What could not be read back is not written.
func TestNamesThatEndNames(t *testing.T) {
	classes := data.Classes{Names: []string{"background", "a;b"}}
	records := []Record{{ID: "a", Weak: data.WeakLabels{Tags: []int{1}}}}
	_, err := WriteCSV(t.TempDir(), records, classes)
	for _, err := range []error{err, WriteJSON(t.TempDir()+"/labels.json", records, classes)} {
		if err == nil || !strings.Contains(err.Error(), `class 1 has the name "a;b"`) {
			t.Errorf("error %v", err)
		}
	}
}

// What is left out is counted by labels: a class that no photo shows has none.
func TestLeftOutIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"columns":              {map[string]string{"labels.csv": "image,cat,dog,cow\na,1,0,0\nb,1,1,0\n"}, []string{`labels: 2 labels of "cat" left out: it is not in data.options.names`}},
		"columns of any table": {map[string]string{"any.csv": "image,cat,dog,cow\na,1,0,0\nb,1,1,0\n"}, []string{`table: 2 labels of "cat" left out: it is not in data.options.names`}},
		"labelme's flags": {map[string]string{
			"a.json": `{"version": "5", "flags": {"cat": true, "dog": false, "cow": false}, "imagePath": "a.png", "imageWidth": 8, "imageHeight": 6, "shapes": []}`,
			"b.json": `{"version": "5", "flags": {"cat": true, "dog": true, "cow": false}, "imagePath": "b.png", "imageWidth": 8, "imageHeight": 6, "shapes": []}`,
		}, []string{`labelme: 2 labels of "cat" left out: it is not in data.options.names`}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			picture(t, root, "a.png")
			picture(t, root, "b.png")
			for file, text := range c.files {
				put(t, root, file, text)
			}
			d := open(t, root, Options{Names: []string{"background", "dog"}})
			if lines := d.LeftOut(); !slices.Equal(lines, c.want) {
				t.Errorf("%q, want %q", lines, c.want)
			}
			if s, err := d.Load("b", data.WantWeak); err != nil || !slices.Equal(s.Weak.Tags, []int{1}) {
				t.Errorf("tags %v, error %v; want that of dog", s.Weak.Tags, err)
			}
		})
	}
}
