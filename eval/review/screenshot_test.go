package review

import (
	"context"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"
	"image"

	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	_ "wsss/data/scenes"
	"wsss/eval"
	"wsss/eval/browsertest"
	"wsss/eval/report"
	"wsss/gen"
)

// TestScreenshot makes the pictures of the page and of a report in the documents:
// WSSS_DOCS=docs go test ./eval/review -run Screenshot.
func TestScreenshot(t *testing.T) {
	docs := os.Getenv("WSSS_DOCS")
	if docs == "" {
		t.Skip("writes docs/review.png: set WSSS_DOCS to the folder")
	}
	if !filepath.IsAbs(docs) {
		docs = filepath.Join("..", "..", docs)
	}
	b := browsertest.Start(t)
	inner, err := data.Open("scenes", data.Options{Root: filepath.Join(t.TempDir(), "scenes"), Seed: 1, Extra: map[string]any{"train": 12, "val": 1, "min_size": 200, "max_size": 240}})
	if err != nil {
		t.Fatal(err)
	}
	ds := corrections.Wrap(inner, &corrections.Folder{Dir: filepath.Join(t.TempDir(), "corrections"), Classes: inner.Classes()}, corrections.Options{})
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	g := configs.Gen{Method: "grabcut", Weak: "boxes", Fuse: configs.Fuse{Rule: "smaller-first"}}
	env := gen.Env{Classes: ds.Classes(), Weak: data.WeakBoxes, Gen: g}
	method, err := gen.New(env)
	if err != nil {
		t.Fatal(err)
	}
	o := newOptions(t, newData(t, []string{"x"}, 8, 8, false, "x"))
	o.Dataset, o.Method, o.LabelsDir, o.Queue = ds, method, filepath.Join(t.TempDir(), "gen"), nil
	o.Prompter = method.(gen.Prompter)
	if _, err := gen.Run(context.Background(), gen.RunOptions{Dataset: ds, Split: "train", Method: method, Name: "grabcut", Weak: data.WeakBoxes, Fuse: g.Fuse, OutDir: o.LabelsDir, ConfigHash: "h", Env: env}); err != nil {
		t.Fatal(err)
	}
	if o.Queue, err = Order(context.Background(), Evidence{Dataset: ds, IDs: ids, LabelsDir: o.LabelsDir}); err != nil {
		t.Fatal(err)
	}
	s, _ := serve(t, o)
	b.Size(1200, 720)
	p := openPage(t, b, s.URL())
	p.Key("g")
	p.Eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))", nil)
	save(t, filepath.Join(docs, "review.png"), b.Screenshot())

	res, err := eval.Folder(context.Background(), inner, "train", o.LabelsDir, eval.Options{Name: "GrabCut from boxes", Kind: eval.KindPseudo}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := report.Write(context.Background(), dir, report.Report{Title: "scenes: labels from boxes", Rows: []report.Row{{Result: res, Labels: o.LabelsDir}}, Dataset: inner, Weak: data.WeakBoxes}, nil); err != nil {
		t.Fatal(err)
	}
	b.Size(1200, 900)
	b.Open("file://" + filepath.Join(dir, report.HTMLName))
	b.Want("[...document.querySelectorAll('.example img')].every(i => i.complete)", "true")
	save(t, filepath.Join(docs, "report.png"), b.Screenshot())
}

// save writes a screenshot with a palette, which keeps it small.
func save(t *testing.T, path string, img image.Image) {
	t.Helper()
	colours := color.Palette{}
	for r := range 6 {
		for g := range 7 {
			for b := range 6 {
				colours = append(colours, color.RGBA{uint8(r * 51), uint8(g * 255 / 6), uint8(b * 51), 255})
			}
		}
	}
	small := image.NewPaletted(img.Bounds(), colours)
	draw.FloydSteinberg.Draw(small, small.Rect, img, image.Point{})
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(f, small); err != nil {
		t.Fatal(err)
	}
}
