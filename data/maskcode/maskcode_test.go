package maskcode

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
)

var parts = data.Classes{Names: []string{"background", "bolt", "nut"}}

// labelmap is as CVAT writes it.
const labelmap = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nbolt:250,50,83::\nnut:51,221,255::\nignore:255,255,255::\n"

func TestLabelmap(t *testing.T) {
	root := t.TempDir()
	datatest.Write(t, filepath.Join(root, LabelmapName), labelmap)
	c, err := Options{}.Coding(root, parts)
	want := map[data.RGB]uint8{{}: 0, {250, 50, 83}: 1, {51, 221, 255}: 2, {255, 255, 255}: 255}
	if diff := cmp.Diff(want, c.Colours); err != nil || diff != "" {
		t.Errorf("error %v, table differs (-want +got):\n%s", err, diff)
	}
	names, err := ClassesOf(root)
	if diff := cmp.Diff(parts.Names, names); err != nil || diff != "" {
		t.Errorf("error %v, classes differ:\n%s", err, diff)
	}
	c, err = Options{Colours: map[string]string{"bolt": "#ff0000", "void": "1, 2, 3"}}.Coding(root, parts)
	want = map[data.RGB]uint8{{}: 0, {255, 0, 0}: 1, {1, 2, 3}: 255}
	if diff := cmp.Diff(want, c.Colours); err != nil || diff != "" {
		t.Errorf("error %v, table of the options differs:\n%s", err, diff)
	}
	if c, err := (Options{}).Coding(t.TempDir(), parts); err != nil || c.Colours != nil || c.Classes != 3 {
		t.Errorf("%+v, error %v: want no table", c, err)
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct{ text, err string }{
		{"bolt:1,2::\n", `1: colour "1,2"`},
		{"a:0,0,0::\nbolt:1,2,256::\n", `2: colour "1,2,256"`},
		{"bolt:#12::\n", `1: colour "#12"`},
		{"bolt:::\nbolt:::\n", `2: the name "bolt"`},
	} {
		if _, err := parseLabelmap(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: error %v, want %q", tc.text, err, tc.err)
		}
	}
	for name, o := range map[string]Options{
		`"screw" is no class`:                       {Colours: map[string]string{"screw": "#ff0000"}},
		"data.options.colours.bolt: colour \"red\"": {Colours: map[string]string{"bolt": "red"}},
	} {
		if _, err := o.Coding(t.TempDir(), parts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

func FuzzLabelmap(f *testing.F) {
	f.Add([]byte(labelmap))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parseLabelmap(strings.NewReader(string(raw)))
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.Name == "" {
				t.Error("a class without a name")
			}
		}
	})
}
