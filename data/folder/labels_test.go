package folder

import (
	"bytes"
	"image"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
)

var testClasses = data.Classes{Names: []string{"background", "cat", "hot dog", "3"}}

func knownABC(id string) bool { return id == "a" || id == "b" || id == "c/d" }

func TestParseCSV(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       map[string]*data.WeakLabels
	}{
		{"tags", "image,tags\na.jpg,cat;hot dog\nb,2|1;1\nc/d,\n", map[string]*data.WeakLabels{
			"a": {Tags: []int{1, 2}}, "b": {Tags: []int{1, 2}}, "c/d": {Tags: []int{}},
		}},
		{"one tag per row", "\ufeffClass , Image\n\"hot dog\",a\ncat,a\ncat,a\n", map[string]*data.WeakLabels{"a": {Tags: []int{1, 2}}}},
		{"a name that is a number wins", "image,class\na,3\nb,2\n", map[string]*data.WeakLabels{"a": {Tags: []int{3}}, "b": {Tags: []int{2}}}},
		{"points", "image,class,x,y,rank\na,background,0,5,1\na,cat,3.9,2,2\nb,,,,\n", map[string]*data.WeakLabels{
			"a": {Tags: []int{1}, Points: []data.Point{{Y: 5, Rank: 1}, {X: 3, Y: 2, Class: 1, Rank: 2}}},
			"b": {Tags: []int{}, Points: []data.Point{}},
		}},
		{"scribbles", "image,class,scribble\na,0,1 2; 3 4 ;\n", map[string]*data.WeakLabels{
			"a": {Tags: []int{}, Scribbles: []data.Scribble{{Points: []image.Point{{X: 1, Y: 2}, {X: 3, Y: 4}}}}},
		}},
		{"boxes", "image,class,x0,y0,x1,y1,difficult,crowd\n\\c\\d,cat,0,0,1,1,1,\n./c/d.png,cat,-0.5,0,1,1,,true\n", nil},
		{"boxes2", "image,class,x0,y0,x1,y1,difficult,crowd\nc\\d,cat,0,0,1,1,1,\n./c/d.png,cat,-0.5,0,1,1,,true\n", map[string]*data.WeakLabels{
			"c/d": {Tags: []int{1}, Boxes: []data.Box{{X1: 1, Y1: 1, Class: 1, Difficult: true}, {X0: -0.5, X1: 1, Y1: 1, Class: 1, Crowd: true}}},
		}},
		{"all forms in one file", "image,tags,class,x,y,scribble,x0,y0,x1,y1\n" +
			"a,hot dog,,,,,,,,\na,,cat,1,1,,,,,\na,,cat,,,1 1,,,,\na,,cat,,,,0,0,2,2\na,,3,,,,,,,\n", map[string]*data.WeakLabels{
			"a": {
				Tags: []int{2, 3}, Points: []data.Point{{X: 1, Y: 1, Class: 1}},
				Scribbles: []data.Scribble{{Class: 1, Points: []image.Point{{X: 1, Y: 1}}}}, Boxes: []data.Box{{X1: 2, Y1: 2, Class: 1}},
			},
		}},
	} {
		got, err := ParseCSV(strings.NewReader(tc.text), testClasses, knownABC)
		if tc.want == nil {
			if err == nil {
				t.Errorf("%s passes", tc.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestCSVFaults(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "line 1: empty"},
		{"image,colour\n", `line 1: column "colour" is unknown: allowed are image, tags`},
		{"image,tags,tags\n", "occurs twice"},
		{"tags,class\n", "needed are image"},
		{"image\n", "needed are image"},
		{"image,class,x\n", "x, y and class must occur together"},
		{"image,x0,y0,x1,y1\n", "class must occur together"},
		{"image,scribble\n", "scribble and class"},
		{"image,tags\na,\"cat\n", `line 2: extraneous or missing "`},
		{"image,tags\n\n\nq,cat\n", `line 4: image = "q"`},
		{"image,tags\n,cat\n", `line 2: image = ""`},
		{"image,tags\na,cat;cow\n", `line 2: tags = "cow": allowed are label values 1..3 and the names cat, hot dog, 3`},
		{"image,tags\na,0\n", `tags = "0"`},
		{"image,class\na,background\n", `class = "background"`},
		{"image,class,x,y\na,,1,2\n", `class = "": allowed are label values 0..3`},
		{"image,class,x,y\na,cat,1,\n", `y = "": allowed is a number`},
		{"image,class,x,y\na,cat,-1,2\n", "x = -1: allowed are 0-based pixels"},
		{"image,class,x,y\na,cat,NaN,2\n", "x = NaN"},
		{"image,class,x,y\na,cat,1e300,2\n", "x = 1e+300"},
		{"image,class,x,y,rank\na,cat,1,2,first\n", `rank = "first"`},
		{"image,class,scribble\na,cat,1 2;3\n", `scribble point "3"`},
		{"image,class,scribble\na,cat,1 x\n", `scribble point "1 x"`},
		{"image,class,scribble\na,cat,1 -7\n", `scribble point "1 -7": -7`},
		{"image,class,scribble\na,cat,;\n", "without points"},
		{"image,class,x,y,x0,y0,x1,y1\na,cat,-1,2,0,0,1,1\n", "x = -1"}, // a box that is right
		{"image,class,x0,y0,x1,y1\na,cat,5,0,5,9\n", "is empty: allowed is x0 < x1"},
		{"image,class,x0,y0,x1,y1\na,cat,0,0,Inf,9\n", "box edge +Inf"},
		{"image,class,x0,y0,x1,y1\na,0,0,0,1,1\n", `class = "0": allowed are label values 1..3`},
		{"image,class,x0,y0,x1,y1,crowd\na,cat,0,0,1,1,maybe\n", `crowd = "maybe"`},
	} {
		_, err := ParseCSV(strings.NewReader(tc.text), testClasses, knownABC)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "<nil>") {
			t.Errorf("%q: error %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestJSONFaults(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "line 1: not JSON"},
		{"[]", "allowed is a JSON object"},
		{"{\"a\": {}, \n\n\"q\": {}}", `line 3: image = "q"`},
		{"{\"a\": {},\n\"a.jpg\": {}}", `line 2: image "a.jpg" occurs twice`},
		{"{\"a\": {\"tag\": []}}", `unknown field "tag"`},
		{"{\n\"a\": {\"tags\": [\n1,\n]}}", "line 4: not JSON: invalid character ']'"},
		{"{\"a\": {\"tags\": [true]}}", "class true"},
		{"{\"a\": {\"tags\": [\"cat\", \"cow\"]}}", `image "a": tags[1] = "cow"`},
		{"{\"a\": {\"tags\": [1.5]}}", `tags[0] = "1.5"`},
		{"{\"a\": {\"points\": [{\"class\": 1, \"x\": 2}]}}", "points[0]: needed are class, x and y"},
		{"{\"a\": {\"points\": [{\"class\": 1, \"x\": 2, \"y\": -3}]}}", "points[0]: y = -3"},
		{"{\"a\": {\"points\": [{\"x\": 2, \"y\": 3}]}}", `points[0]: class = ""`},
		{"{\"a\": {\"points\": [{\"class\": 1, \"x\": 2, \"y\": 3, \"rank\": -1}]}}", "rank = -1"},
		{"{\"a\": {\"scribbles\": [{\"class\": 1, \"points\": [[1, 2, 3]]}]}}", "scribbles[0]: points[0] has 3 numbers"},
		{"{\"a\": {\"scribbles\": [{\"class\": 1}]}}", "scribbles[0]: a scribble without points"},
		{"{\"a\": {\"boxes\": [{\"class\": 1, \"x0\": 1, \"y0\": 1, \"x1\": 2}]}}", "boxes[0]: needed are class, x0"},
		{"{\"a\": {\"boxes\": [{\"class\": 1, \"x0\": 1, \"y0\": 1, \"x1\": 2, \"y1\": 1}]}}", "boxes[0]: box (1,1)-(2,1) is empty"},
		{"\n{\"a\": {}", "line 2: not JSON: unexpected end"},
		{"{\"a\": {}} {}", "after top-level value"},
	} {
		_, err := ParseJSON(strings.NewReader(tc.text), testClasses, knownABC)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestBoundedReader(t *testing.T) {
	_, err := io.ReadAll(&bounded{r: strings.NewReader("abcdef"), left: 4})
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v", err)
	}
}

// fuzzParser checks that whatever a parser accepts survives a round trip.
func fuzzParser(f *testing.F, parse func(io.Reader, data.Classes, func(string) bool) (map[string]*data.WeakLabels, error)) {
	f.Fuzz(func(t *testing.T, text string) {
		labels, err := parse(strings.NewReader(text), testClasses, func(id string) bool { return !strings.Contains(id, "q") })
		if err != nil {
			return
		}
		for id, w := range labels {
			for _, p := range w.Points {
				if p.Class < 0 || p.Class >= testClasses.Len() || p.X < 0 || p.Y < 0 {
					t.Fatalf("%q: point %+v", id, p)
				}
			}
			for _, b := range w.Boxes {
				if b.Class < 1 || b.Class >= testClasses.Len() || b.X0 >= b.X1 || b.Y0 >= b.Y1 {
					t.Fatalf("%q: box %+v", id, b)
				}
			}
			var buf bytes.Buffer
			if err := encodeJSON(&buf, []Record{{ID: "a", Weak: *w}}, testClasses); err != nil {
				t.Fatal(err)
			}
			back, err := ParseJSON(&buf, testClasses, knownABC)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(w, back["a"]) {
				t.Fatalf("%q: %s", id, cmp.Diff(w, back["a"]))
			}
		}
	})
}

func FuzzParseCSV(f *testing.F) {
	f.Add("image,tags\na,cat;2\n")
	f.Add("image,class,x,y,rank\na,cat,1,2,3\nb,,,,\n")
	f.Add("image,class,scribble\na,0,1 2;3 4\n")
	f.Add("image,class,x0,y0,x1,y1,difficult,crowd\na,cat,0,0,1.5,1,1,0\n")
	fuzzParser(f, ParseCSV)
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`{"a": {"tags": ["cat", 2]}, "b": {"points": [{"class": 0, "x": 1, "y": 2}]}}`)
	f.Add(`{"a": {"scribbles": [{"class": 1, "points": [[1, 2], [3, 4]]}], "boxes": []}}`)
	f.Add(`{"a": {"boxes": [{"class": 1, "x0": 0.5, "y0": 0, "x1": 2, "y1": 3, "crowd": true}]}}`)
	fuzzParser(f, ParseJSON)
}
