package folder

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"wsss/data"
	"wsss/data/datatest"
)

// TestTables: tables as spreadsheets and other tools write them; each has the
// same box of the class Schlüssel in kitchen/1.
func TestTables(t *testing.T) {
	plain := "image,class,x0,y0,x1,y1\nkitchen/1,Schl\u00fcssel,1.5,2,5,6\n"
	latin, err := charmap.ISO8859_1.NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(plain, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	german := "image;class;x0;y0;x1;y1\r\nkitchen/1;Schl\u00fcssel;1,5;2;5;6\r\n"
	for _, tc := range []struct{ name, text string }{
		{"plain", plain},
		{"semicolons and decimal commas", german},
		{"sep line", "sep=;\r\n" + german},
		{"tabs", strings.ReplaceAll(plain, ",", "\t")},
		{"mark", "\ufeff" + plain},
		{"latin-1", latin},
		{"utf-16", wide},
		{"empty rows and columns", ";;;;;;;\r\nimage;class;x0;y0;x1;y1;;\r\n;;;;;;;\r\nkitchen/1;Schl\u00fcssel;1,5;2;5;6;;\r\n;;;;;;;\r\n"},
		{"fewer cells", plain + "kitchen/2\n"},
		{"carriage returns", strings.ReplaceAll(plain, "\n", "\r")},
		{"TensorFlow", "filename,width,height,class,xmin,ymin,xmax,ymax\nkitchen/1.jpg,64,48,Schl\u00fcssel,1.5,2,5,6\n"},
		{"corners", "image_path,x1,y1,x2,y2,class_name\nkitchen/1.jpg,1.5,2,5,6,Schl\u00fcssel\n"},
		{"width and height", "file_name,x,y,w,h,label,score\nkitchen/1.jpg,1.5,2,3.5,4,Schl\u00fcssel,0.9\n"},
		{"folder of images", strings.Replace(plain, "kitchen/1", `images\kitchen\1.jpg`, 1)},
		{"absolute", strings.Replace(plain, "kitchen/1", "/home/me/photos/1.jpg", 1)},
		{"name alone", strings.Replace(plain, "kitchen/1", "1.JPG", 1)},
		{"other case", strings.Replace(plain, "kitchen/1", "Kitchen/1.JPG", 1)},
		{"class in another case", strings.Replace(plain, "Schl", "SCHL", 1)},
		{"line feed in a cell", "image,class,x0,y0,x1,y1,folder\nkitchen/1,Schl\u00fcssel,1.5,2,5,6,\"a\nb\"\n"},
		{"index of pandas", ",image,class,x0,y0,x1,y1\n,kitchen/1,Schl\u00fcssel,1.5,2,5,6\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			for name, raw := range map[string]string{"images/kitchen/1.jpg": "", "images/kitchen/2.jpg": "", "images/bath/2.jpg": "", "classes.txt": "background\nSchl\u00fcssel\n", "labels.csv": tc.text} {
				path := filepath.Join(root, name)
				datatest.Write(t, path, raw)
			}
			ds, err := Open(root, Options{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ds.Load("kitchen/1", data.WantWeak)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]data.Box{{X0: 1.5, Y0: 2, X1: 5, Y1: 6, Class: 1}}, s.Weak.Boxes); diff != "" {
				t.Errorf("boxes differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryBadLine: all bad lines of a table are told, each shortly.
func TestEveryBadLine(t *testing.T) {
	text := "image;class;x0;y0;x1;y1\na;cat;1;2;3;4\na;" + strings.Repeat("long", 1<<20) + ";1;2;3;4\nb;cat;1;2;3;4\na;cat;x;2;3;4\na;cat;1;2;3;4;5\n"
	classes := data.Classes{Names: []string{"background", "cat"}}
	_, err := ParseCSV(strings.NewReader(text), classes, func(id string) bool { return id == "a" })
	var lines *data.LineErrors
	if !errors.As(err, &lines) {
		t.Fatalf("error %v", err)
	}
	want := []string{"3: class = \"longlong", "4: image = \"b\"", "5: x0 = \"x\"", "6: cell 7 is \"5\""}
	if len(lines.Lines) != len(want) {
		t.Fatalf("%d bad lines, want %d", len(lines.Lines), len(want))
	}
	for i, l := range lines.Lines {
		if !strings.HasPrefix(l, want[i]) || len(l) > 400 {
			t.Errorf("line %.500q, want %q", l, want[i])
		}
	}
	if !strings.Contains(err.Error(), "(and 3 more") {
		t.Errorf("error %.300v does not tell how many", err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("sep=;\nfilename;label;xmin;ymin;xmax;ymax\na;cat;1,5;2;3;4\n"))
	f.Add([]byte("\xff\xfei\x00m\x00"))
	f.Add([]byte("image\tx\ty\tw\th\tclass\na\t1\t2\t3\t4\tcat\n"))
	classes := data.Classes{Names: []string{"background", "cat"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		labels, err := ParseCSV(strings.NewReader(string(raw)), classes, func(string) bool { return true })
		if err != nil {
			return
		}
		for id, w := range labels {
			for _, b := range w.Boxes {
				if b.Class != 1 || !(b.X0 < b.X1) || !(b.Y0 < b.Y1) {
					t.Errorf("%s: box %+v", id, b)
				}
			}
		}
	})
}
