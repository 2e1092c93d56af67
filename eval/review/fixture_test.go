package review

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/datatest"
	"wsss/data/folder"
	"wsss/gen"
	_ "wsss/gen/grabcut"
)

// newData writes photos of a red disc-like square on green, and their boxes
// where boxed; names are the classes after background.
func newData(t *testing.T, ids []string, w, h int, boxed bool, names ...string) *corrections.Dataset {
	t.Helper()
	root := t.TempDir()
	rows := "image,class,x0,y0,x1,y1\n"
	for _, id := range ids {
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{30, 140, 60, 255}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(w/4, h/4, w/2, h/2), image.NewUniform(color.RGBA{210, 40, 40, 255}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(5*w/8, 5*h/8, 7*w/8, 7*h/8), image.NewUniform(color.RGBA{40, 60, 220, 255}), image.Point{}, draw.Src)
		path := filepath.Join(root, "images", filepath.FromSlash(id)+".jpg")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, img, &jpeg.Options{Quality: 92}); err != nil {
			t.Fatal(err)
		}
		f.Close()
		rows += fmt.Sprintf("%s,1,%d,%d,%d,%d\n", id, w/4-2, h/4-2, w/2+2, h/2+2)
	}
	if boxed {
		datatest.Write(t, filepath.Join(root, "labels.csv"), rows)
	}
	ds, err := folder.Open(root, folder.Options{Names: append([]string{"background"}, names...)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return corrections.Wrap(ds, &corrections.Folder{Dir: filepath.Join(root, "corrections"), Classes: ds.Classes()}, corrections.Options{})
}

// newOptions reviews a data set with GrabCut from boxes.
func newOptions(t *testing.T, ds *corrections.Dataset) Options {
	t.Helper()
	g := configs.Gen{Method: "grabcut", Weak: "boxes", Fuse: configs.Fuse{Rule: "smaller-first"}}
	method, err := gen.New(gen.Env{Classes: ds.Classes(), Weak: data.WeakBoxes, Gen: g})
	if err != nil {
		t.Fatal(err)
	}
	fuser, err := gen.NewFuser(g.Fuse, ds.Classes())
	if err != nil {
		t.Fatal(err)
	}
	prompter, model, err := gen.PrompterOf(method, "grabcut", gen.Env{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := ds.IDs(folder.SplitAll)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dataset: ds, Weak: data.WeakBoxes, LabelsDir: filepath.Join(t.TempDir(), "gen"), Ours: true, Method: method, Prompter: prompter, Model: model, Fuser: fuser}
	for _, id := range ids {
		o.Queue = append(o.Queue, Item{ID: id, Gain: 1, Why: "because <b>"})
	}
	return o
}

// serve starts a server; stop ends it at once, as a kill would.
func serve(t *testing.T, o Options) (s *Server, stop func()) {
	t.Helper()
	s = New(o)
	l, err := s.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ctx, l)
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return s, stop
}

// read is an image's correction as it is on disk.
func read(t *testing.T, ds *corrections.Dataset, id string) *corrections.Correction {
	t.Helper()
	c, _, err := ds.Folder.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		c = &corrections.Correction{}
	}
	return c
}

// describe is an image's correction in words that do not depend on the order of
// its prompts or on their names.
func describe(t *testing.T, ds *corrections.Dataset, id string) string {
	t.Helper()
	c := read(t, ds, id)
	var prompts []string
	for _, p := range c.Prompts {
		text := fmt.Sprint(p.Class, p.Points, p.Strokes)
		if p.Box != nil {
			text += fmt.Sprint(*p.Box)
		}
		prompts = append(prompts, text)
	}
	slices.Sort(prompts)
	text := fmt.Sprintf("%q prompted %t %v tagged %t %v", c.Verdict, c.Prompted, prompts, c.Tagged, c.Tags)
	for _, r := range c.Painted {
		text += fmt.Sprintf(" %d: %s", r.Class, r.Bits.COCOString())
	}
	return text
}

// share is the part of a rectangle's pixels with a label value.
func share(m *data.LabelMap, r image.Rectangle, v uint8) float64 {
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if m.At(x, y) == v {
				n++
			}
		}
	}
	return float64(n) / float64(r.Dx()*r.Dy())
}

func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("class %c%02d", 'a'+i%26, i+1)
	}
	return names
}

// listFiles lists the files below a folder.
func listFiles(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			rel, _ := filepath.Rel(dir, path)
			list = append(list, filepath.ToSlash(rel))
		}
		return nil
	})
	return strings.Join(list, " ")
}
