package grabcut

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/datatest"
	"wsss/data/folder"
	"wsss/gen"
)

// TestCorrectedLabels: what a person corrected outranks GrabCut, is noticed, and
// noted in the sidecar.
func TestCorrectedLabels(t *testing.T) {
	root := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(img, img.Rect, image.NewUniform(color.NRGBA{20, 130, 60, 255}), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(10, 10, 30, 30), image.NewUniform(color.NRGBA{210, 40, 40, 255}), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(40, 20, 60, 40), image.NewUniform(color.NRGBA{40, 40, 220, 255}), image.Point{}, draw.Src)
	rows := "image,class,x0,y0,x1,y1\n"
	for _, id := range []string{"accepted", "left", "moved", "painted", "rejected", "undone"} {
		f, err := os.Create(filepath.Join(root, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		f.Close()
		rows += id + ",1,8,8,32,32\n"
	}
	datatest.Write(t, filepath.Join(root, "labels.csv"), rows)
	inner, err := folder.Open(root, folder.Options{Names: []string{"background", "red", "blue"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	kept := &corrections.Folder{Dir: filepath.Join(root, "corrections"), Classes: inner.Classes()}
	ds := corrections.Wrap(inner, kept, corrections.Options{})
	g := configs.Gen{Method: "grabcut", Weak: "boxes", Fuse: configs.Fuse{Rule: "smaller-first"}}
	env := gen.Env{Classes: ds.Classes(), Weak: data.WeakBoxes, Gen: g}
	m, err := gen.New(env)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "gen")
	run := func() gen.Summary {
		t.Helper()
		sum, err := gen.Run(context.Background(), gen.RunOptions{Dataset: ds, Split: folder.SplitAll, Method: m, Name: "grabcut", Weak: data.WeakBoxes,
			Fuse: g.Fuse, OutDir: out, ConfigHash: "h", Env: env})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	change := func(id string, f func(c *corrections.Correction)) {
		t.Helper()
		if _, _, err := kept.Update(context.Background(), id, 64, 48, nil, func(c *corrections.Correction) error { f(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	label := func(id string) *data.LabelMap {
		t.Helper()
		l, err := data.ReadLabelMap(filepath.Join(out, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if sum := run(); sum.Generated != 6 || sum.Corrected != 0 || label("moved").At(20, 20) != 1 || label("moved").At(50, 30) != 0 {
		t.Fatalf("before: %+v", sum)
	}
	square := data.NewLabelMap(64, 48)
	square.Set(3, 4, 2)
	change("accepted", func(c *corrections.Correction) { c.Accept(square) })
	change("rejected", func(c *corrections.Correction) { c.Verdict = corrections.Rejected })
	change("moved", func(c *corrections.Correction) {
		c.Prompted, c.Prompts = true, []corrections.Prompt{{ID: "a", Class: 2, Box: &corrections.Box{X0: 38, Y0: 18, X1: 62, Y1: 42}}}
	})
	change("painted", func(c *corrections.Correction) {
		l := c.Layer()
		l.Pix[20*64+20], l.Pix[5] = 1+data.Ignore, 1+2
		c.SetLayer(l)
	})
	change("undone", func(c *corrections.Correction) { c.Verdict = corrections.Rejected })
	change("undone", func(c *corrections.Correction) { c.Verdict = corrections.Open })

	sum := run()
	if sum.Generated != 3 || sum.Corrected != 3 || sum.Rejected != 1 || sum.Unlabelled != 1 || sum.Changes.Corrected != 3 || sum.Skipped != 2 {
		t.Errorf("after: %+v", sum)
	}
	if l := label("accepted"); l.At(3, 4) != 2 || l.At(20, 20) != 0 {
		t.Error("the accepted label is not what was accepted")
	}
	if l := label("moved"); l.At(20, 20) != 0 || l.At(50, 30) != 2 {
		t.Error("the corrected box was not asked again")
	}
	if l := label("painted"); l.At(20, 20) != data.Ignore || l.At(5, 0) != 2 || l.At(15, 15) != 1 {
		t.Error("painted pixels are not over the method's")
	}
	if _, err := os.Stat(filepath.Join(out, "rejected.png")); !os.IsNotExist(err) {
		t.Error("the rejected label is still there")
	}
	for id, want := range map[string]string{"accepted": "accepted", "moved": "prompts", "painted": "pixels", "left": ""} {
		side, err := gen.ReadSidecar(filepath.Join(out, id+".json"))
		if err != nil || side.Corrected != want {
			t.Errorf("sidecar of %s: corrected %q, %v", id, side.Corrected, err)
		}
	}
	if sum := run(); sum.Generated != 0 || sum.Skipped != 5 {
		t.Errorf("again: %+v", sum)
	}
	// A class that is gone is an error that names the file.
	path, _ := kept.Path("moved")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, path, strings.ReplaceAll(string(raw), `"blue"`, `"teal"`))
	_, err = gen.Run(context.Background(), gen.RunOptions{Dataset: ds, Split: folder.SplitAll, Method: m, Name: "grabcut", Weak: data.WeakBoxes,
		Fuse: g.Fuse, OutDir: out, ConfigHash: "h", Env: env})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `"teal"`) {
		t.Errorf("a class that is gone: %v", err)
	}
}

// TestCorrectedTags: labels from tags are made from the corrected ones, and made
// again when these change.
func TestCorrectedTags(t *testing.T) {
	root := t.TempDir()
	img, _ := disc(60, 50, image.Rect(18, 14, 44, 38))
	for _, id := range []string{"a", "b"} {
		f, err := os.Create(filepath.Join(root, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	inner, err := folder.Open(root, folder.Options{Names: []string{"background", "red", "blue"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	kept := &corrections.Folder{Dir: filepath.Join(root, "corrections"), Classes: inner.Classes()}
	ds := corrections.Wrap(inner, kept, corrections.Options{})
	g := configs.Gen{Method: "grabcut", Weak: "tags", Fuse: configs.Fuse{Rule: "smaller-first"}}
	env := gen.Env{Classes: ds.Classes(), Weak: data.WeakTags, Gen: g}
	m, err := gen.New(env)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	for _, tt := range []struct{ class, generated int }{{1, 1}, {2, 1}, {2, 0}} {
		if _, _, err := kept.Update(context.Background(), "a", 60, 50, nil, func(c *corrections.Correction) error {
			c.Tagged, c.Tags = true, []int{tt.class}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		sum, err := gen.Run(context.Background(), gen.RunOptions{Dataset: ds, Split: folder.SplitAll, Method: m, Name: "grabcut", Weak: data.WeakTags,
			Fuse: g.Fuse, OutDir: out, ConfigHash: "h", Env: env})
		if err != nil || sum.Generated != tt.generated || sum.Unlabelled != 1 {
			t.Fatalf("class %d: %+v, %v", tt.class, sum, err)
		}
		l, err := data.ReadLabelMap(filepath.Join(out, "a.png"))
		if err != nil || int(l.At(31, 26)) != tt.class {
			t.Errorf("class %d: label %d, %v", tt.class, l.At(31, 26), err)
		}
		side, err := gen.ReadSidecar(filepath.Join(out, "a.json"))
		if err != nil || side.Corrected != "tags" {
			t.Errorf("corrected %q, %v", side.Corrected, err)
		}
	}
}
