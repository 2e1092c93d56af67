package corrections

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wsss/data"
)

var classes = data.Classes{Names: []string{"background", "cat", "dog"}}

func full() *Correction {
	c := &Correction{W: 5, H: 4, Prompted: true, Prompts: []Prompt{
		{ID: "r1", Class: 2, Box: &Box{0, 1, 4.5, 4}, Points: []Point{{1, 2, false}, {4, 3, true}}},
		{ID: "r2", Class: data.Ignore, Strokes: []Stroke{{Line: []image.Point{{0, 0}, {3, 3}}, Out: true}, {Line: []image.Point{{1, 1}}}}},
	}}
	c.Tagged, c.Tags = true, []int{1, 2}
	l := c.Layer()
	l.Pix[3], l.Pix[7], l.Pix[8], l.Pix[19] = 1, 2, 2, 1+data.Ignore
	c.SetLayer(l)
	m := data.NewLabelMap(5, 4)
	m.Set(2, 2, 2)
	m.Set(0, 3, data.Ignore)
	c.Accept(m)
	return c
}

func TestFilesKeepEverything(t *testing.T) {
	f := &Folder{Dir: filepath.Join(t.TempDir(), "corrections"), Classes: classes}
	if f.Any() {
		t.Error("a folder that is not there holds a correction")
	}
	want := full()
	_, v, err := f.Update(context.Background(), "a/b", 5, 4, nil, func(c *Correction) error { *c = *want; return nil })
	if err != nil {
		t.Fatal(err)
	}
	got, have, err := f.Read("a/b")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("read %+v, %v\nwant %+v", got, err, want)
	}
	if only, err := f.Version("a/b"); v == "" || v != have || only != v || err != nil {
		t.Errorf("versions %q, %q, %q, %v", v, have, only, err)
	}
	// The order of the table does not matter, the names do.
	f.Classes = data.Classes{Names: []string{"background", "dog", "bird", "cat"}}
	if got, _, err = f.Read("a/b"); err != nil || got.Prompts[0].Class != 1 || got.Painted[1].Class != 3 || !reflect.DeepEqual(got.Tags, []int{1, 3}) {
		t.Errorf("by another table: %+v, %v", got, err)
	}
	f.Classes = data.Classes{Names: []string{"background", "cat"}}
	path, _ := f.Path("a/b")
	if _, _, err := f.Read("a/b"); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `"dog"`) {
		t.Errorf("a class that is gone: %v", err)
	}
	if _, err := f.Path("../a"); err == nil {
		t.Error("an id leaves the folder")
	}
}

func TestUpdate(t *testing.T) {
	f := &Folder{Dir: filepath.Join(t.TempDir(), "c"), Classes: classes}
	ctx := context.Background()
	accept := func(c *Correction) error { c.Accept(data.NewLabelMap(5, 4)); return nil }
	none := ""
	_, v, err := f.Update(ctx, "a", 5, 4, &none, accept)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Update(ctx, "a", 5, 4, &none, accept); !errors.Is(err, ErrChanged) {
		t.Errorf("of another version: %v", err)
	}
	if _, _, err := f.Update(ctx, "a", 4, 5, nil, accept); err == nil || !strings.Contains(err.Error(), "5×4") {
		t.Errorf("of another photo: %v", err)
	}
	wrong := errors.New("wrong")
	if _, _, err := f.Update(ctx, "a", 5, 4, nil, func(c *Correction) error { c.Verdict = Rejected; return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
	if c, have, err := f.Read("a"); c.Verdict != Accepted || have != v || err != nil {
		t.Errorf("a change that failed: %+v, %v", c, err)
	}
	if _, v, err = f.Update(ctx, "a", 5, 4, &v, func(c *Correction) error { *c = Correction{W: 5, H: 4}; return nil }); v != "" || err != nil {
		t.Error(v, err)
	}
	if c, _, err := f.Read("a"); c != nil || err != nil {
		t.Errorf("nothing is left, and there is a file: %+v, %v", c, err)
	}
}

func TestPaint(t *testing.T) {
	c := full()
	m := data.NewLabelMap(5, 4)
	for i := range m.Pix {
		m.Pix[i] = 1
	}
	open := *c
	open.Verdict = Open
	over := m.Clone()
	open.Paint(over)
	if want := []uint8{1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 255}; !reflect.DeepEqual(over.Pix, want) {
		t.Errorf("painted over: %v", over.Pix)
	}
	if got, want := c.Label().Pix, []uint8{0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 255, 0, 0, 0, 255}; !reflect.DeepEqual(got, want) {
		t.Errorf("accepted: %v", got)
	}
}

func TestLayerChanges(t *testing.T) {
	l := &Layer{W: 4, H: 2, Pix: make([]uint16, 8)}
	ch := Change{Rect: image.Rect(1, 0, 3, 2), Runs: Runs([]uint16{3, 0, 2 + data.Ignore, 3})}
	if err := l.Apply(ch, 3); err != nil {
		t.Fatal(err)
	}
	if want := []uint16{0, 2, 0, 0, 0, 1 + data.Ignore, 2, 0}; !reflect.DeepEqual(l.Pix, want) {
		t.Errorf("%v, want %v", l.Pix, want)
	}
	if err := l.Apply(Change{Rect: image.Rect(1, 0, 2, 1), Runs: Runs([]uint16{1})}, 3); err != nil || l.Pix[1] != 0 {
		t.Errorf("untouched again: %v, %v", l.Pix, err)
	}
}

func TestWeak(t *testing.T) {
	c := full()
	c.Verdict, c.Tagged, c.Tags = Open, false, nil
	w := c.Weak(data.WeakLabels{Boxes: []data.Box{{X1: 1, Y1: 1, Class: 1}}})
	if !reflect.DeepEqual(w.Tags, []int{2}) || len(w.Boxes) != 1 || w.Boxes[0].Class != 2 || len(w.Points) != 1 {
		t.Errorf("%+v", w)
	}
	if c.Verdict = Accepted; !reflect.DeepEqual(c.Weak(data.WeakLabels{}).Tags, []int{1, 2}) {
		t.Errorf("tags of an accepted label: %v", c.Weak(data.WeakLabels{}).Tags)
	}
	line := Prompt{Strokes: []Stroke{{Line: []image.Point{{0, 0}, {24, 0}}}}}
	if got := line.Clicks(); len(got) != strokePoints+1 || got[12] != (Point{24, 0, false}) || got[1] != (Point{2, 0, false}) {
		t.Errorf("points of a stroke: %v", got)
	}
}

func TestTags(t *testing.T) {
	own := []int{2, 1}
	c := &Correction{W: 4, H: 4}
	want := func(what string, tags ...int) {
		t.Helper()
		if got := c.Weak(data.WeakLabels{Tags: own}).Tags; got == nil || !slices.Equal(got, tags) {
			t.Errorf("%s: tags %v, want %v", what, got, tags)
		}
	}
	want("nothing corrected", 2, 1)
	c.Tag(own, 3, true)
	want("one more", 1, 2, 3)
	c.Tag(own, 1, false)
	c.Tag(own, 1, false)
	want("one less", 2, 3)
	if c.Empty() {
		t.Error("corrected tags count for nothing")
	}
	c.Prompted, c.Prompts = true, []Prompt{{ID: "a", Class: 5, Box: &Box{0, 0, 1, 1}}}
	want("and a box", 2, 3, 5)
	c.Prompted, c.Prompts = false, nil
	c.Tag(own, 3, false)
	c.Tag(own, 1, true)
	if want("as they were", 2, 1); !c.Empty() || c.Tags != nil {
		t.Errorf("tags as they were count as corrected: %+v", c)
	}
	c.Tag(nil, 1, true)
	c.Tag(nil, 1, false)
	if !c.Empty() {
		t.Errorf("of an image without tags: %+v", c)
	}
	c.Tag([]int{1}, 1, false)
	want("none at all")
}

func TestTagsOfFiles(t *testing.T) {
	for _, tt := range []struct{ tags, err string }{
		{`["dog","cat","dog"]`, ""}, {`[]`, ""}, {`["background"]`, "tags[0]: background"}, {`["cat",""]`, "tags[1]: background and void"}, {`["bird"]`, `"bird"`},
	} {
		c, err := decode([]byte(`{"width":3,"height":2,"tags":`+tt.tags+`}`), classes)
		if tt.err == "" {
			if err != nil || !c.Tagged || c.Empty() || tt.tags != "[]" && !reflect.DeepEqual(c.Tags, []int{1, 2}) {
				t.Errorf("%s: %+v, %v", tt.tags, c, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.tags, err, tt.err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := encode("a", full(), classes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"width":3,"height":2,"painted":[{"class":"cat","rle":"06"}],"prompts":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var size struct{ Width, Height int64 }
		if json.Unmarshal(raw, &size) == nil && size.Width*size.Height > 1<<16 {
			return
		}
		c, err := decode(raw, classes)
		if err != nil {
			return
		}
		again, err := encode("a", c, classes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(again, classes); err != nil {
			t.Fatalf("%v of its own %s", err, again)
		}
		c.Paint(data.NewLabelMap(c.W, c.H))
	})
}

func TestDirOf(t *testing.T) {
	for _, tt := range [][4]string{{"none", "r", "o", ""}, {"c", "r", "o", "c"}, {"", "r", "o", filepath.Join("r", "corrections")}, {"", "", "o", filepath.Join("o", "corrections")}} {
		if got := DirOf(tt[0], tt[1], tt[2]); got != tt[3] {
			t.Errorf("DirOf(%q, %q, %q) = %q", tt[0], tt[1], tt[2], got)
		}
	}
}
