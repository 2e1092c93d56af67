package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/models/manifest"
	"wsss/models/onnximport/onnxtest"
)

// TestPredictExemplars: a box on one photo finds the objects of its class on others, which
// lie elsewhere, beside it, or have its name.
func TestPredictExemplars(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	left, right := image.Rect(8, 16, 40, 48), image.Rect(56, 16, 88, 48)
	dir := t.TempDir()
	paint := func(name string, blocks ...image.Rectangle) {
		t.Helper()
		img := image.NewNRGBA(image.Rect(0, 0, 96, 64))
		for y := range 64 {
			for x := range 96 {
				c := color.NRGBA{70, 70, uint8(70 + (3*x+y)%7), 255}
				for _, b := range blocks {
					if image.Pt(x, y).In(b) {
						c = color.NRGBA{220, 40, uint8(40 + (x+3*y)%7), 255}
					}
				}
				img.SetNRGBA(x, y, c)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err == nil {
			err = png.Encode(f, img)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	write := func(name, text string) {
		datatest.Write(t, filepath.Join(dir, name), text)
	}
	const box = "image,class,x0,y0,x1,y1\na.png,apple,8,16,40,48\n"
	paint("marked/a.png", left)
	write("marked/boxes.csv", box)
	paint("new/a.png", right) // another photo of the same name
	paint("new/b.png", left, right)
	paint("new/c.png")
	paint("all/a.png", left)
	paint("all/b.png", left, right)
	write("all/boxes.csv", box)
	write("apart/boxes.csv", box)
	paint("bare/a.png", left)
	paint("pointed/a.png", left)
	write("pointed/points.csv", "image,class,x,y\na.png,apple,20,30\n")
	colours := onnxtest.MeanColours(t)
	call := func(code int, args ...string) string {
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "DIR", dir)
		}
		return predictCall(t, code, append([]string{"-method", "exemplars", "-backend", "go", "-set", `gen.options.find=features`,
			"-set", "gen.options.features.network=" + colours, "-set", "gen.options.features.norm=unit", "-set", "gen.options.alike.min_similarity=0.9"}, args...)...)
	}
	for _, tt := range []struct {
		args []string
		want map[string]string // objects of each photo, left and right
	}{
		{[]string{"-labels", "DIR/marked", "DIR/new"}, map[string]string{"a": "-r", "b": "lr", "c": "--"}},
		{[]string{"-labels", "DIR/marked/boxes.csv", "DIR/new/b.png", "DIR/new/c.png"}, map[string]string{"b": "lr", "c": "--"}},
		{[]string{"-labels", "DIR/apart/boxes.csv", "DIR/marked/a.png", "DIR/new/b.png"}, map[string]string{"a": "l-", "b": "lr"}},
		{[]string{"-weak", "exemplars", "DIR/all"}, map[string]string{"a": "l-", "b": "lr"}},
	} {
		out := filepath.Join(t.TempDir(), "out")
		said := call(exitOK, append([]string{"-out", out}, tt.args...)...)
		for id, want := range tt.want {
			label, err := data.ReadLabelMap(filepath.Join(out, id+".png"))
			if err != nil {
				t.Fatalf("%v: %v\n%s", tt.args, err, said)
			}
			got := ""
			for i, at := range []image.Rectangle{left, right} {
				if c := at.Min.Add(image.Pt(16, 16)); label.At(c.X, c.Y) == 1 {
					got += "lr"[i : i+1]
				} else {
					got += "-"
				}
			}
			if got != want {
				t.Errorf("%v: %s has %s, want %s", tt.args, id, got, want)
			}
		}
	}
	for says, args := range map[string][]string{
		"holds no labels that are read":                            {"DIR/bare"},
		"no box in it is on any of these photos, or on one beside": {"-labels", "DIR/pointed/points.csv", "DIR/new/c.png"},
		"-weak boxes: allowed are [exemplars]":                     {"-weak", "boxes", "DIR/all"},
		"-labels is missing":                                       {"DIR/new/b.png"},
		"the annotations name 1 image, and none is there":          {"-labels", "DIR/apart/boxes.csv", "DIR/new/c.png"},
	} {
		if said := call(exitUsage, append([]string{"-out", filepath.Join(t.TempDir(), "out")}, args...)...); !strings.Contains(said, says) {
			t.Errorf("%v: %q, want %q", args, said, says)
		}
	}
	if said := predictCall(t, exitMissing, "-method", "exemplars", "-out", filepath.Join(t.TempDir(), "out"), filepath.Join(dir, "all")); !strings.Contains(said, "wsss models pull owlv2-base") {
		t.Errorf("without weights: %q", said)
	}
}
