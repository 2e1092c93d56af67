package gen

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
)

// editable is a dataset whose photos are files and whose labels a test edits.
type editable struct {
	dir     string
	ids     []string
	classes []string
	weak    map[string]data.WeakLabels
}

func (d *editable) Name() string                          { return "editable" }
func (d *editable) Classes() data.Classes                 { return data.Classes{Names: d.classes} }
func (d *editable) Splits() []string                      { return []string{"train"} }
func (d *editable) IDs(string) ([]string, error)          { return slices.Clone(d.ids), nil }
func (d *editable) ImagePath(id string) string            { return filepath.Join(d.dir, id+".jpg") }
func (d *editable) photo(t *testing.T, id, bytes string)  { datatest.Write(t, d.ImagePath(id), bytes) }
func (d *editable) box(id string, x0, y0, x1, y1 float32) { d.weak[id] = boxed(x0, y0, x1, y1) }

func boxed(x0, y0, x1, y1 float32) data.WeakLabels {
	return data.WeakLabels{Boxes: []data.Box{{X0: x0, Y0: y0, X1: x1, Y1: y1, Class: 1}}}
}

func (d *editable) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id}
	if want&data.WantImage != 0 {
		if _, err := os.Stat(d.ImagePath(id)); err != nil {
			return nil, err
		}
		s.Image = image.NewNRGBA(image.Rect(0, 0, 20, 12))
	}
	if want&data.WantWeak != 0 {
		s.Weak = d.weak[id]
	}
	return s, nil
}

func editableRun(t *testing.T, n int) (RunOptions, *editable) {
	t.Helper()
	d := &editable{dir: t.TempDir(), classes: []string{"background", "a", "b"}, weak: map[string]data.WeakLabels{}}
	for i := range n {
		id := fmt.Sprintf("im%d", i)
		d.ids = append(d.ids, id)
		d.photo(t, id, "photo "+id)
		d.box(id, 1, 2, 8, 9)
	}
	out := t.TempDir()
	return RunOptions{
		Dataset: d, Split: "train", Method: &fakeMethod{}, Name: "fake", Weak: data.WeakBoxes, Fuse: configs.Fuse{Rule: "score"},
		OutDir: out, ConfigHash: "h1", Workers: 2, Hashes: files.OpenHashes(filepath.Join(out, files.HashesName)),
	}, d
}

// Every kind of change makes the labels again that it concerns, no others, and
// says why; the folder is then as one that was made at once. Check tells the
// same beforehand.
func TestChangesAreMadeAgain(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, o *RunOptions, d *editable)
		made   int
		why    string
		gone   int
	}{
		{"nothing", func(*testing.T, *RunOptions, *editable) {}, 0, "", 0},
		{"a box moved by a pixel", func(_ *testing.T, _ *RunOptions, d *editable) { d.box("im1", 1, 2, 9, 9) }, 1, "1 label edited", 0},
		{"a box made difficult", func(_ *testing.T, _ *RunOptions, d *editable) { d.weak["im1"].Boxes[0].Difficult = true }, 1, "1 label edited", 0},
		{"a box of another class", func(_ *testing.T, _ *RunOptions, d *editable) { d.weak["im1"].Boxes[0].Class = 2 }, 1, "1 label edited", 0},
		{"a box more", func(_ *testing.T, _ *RunOptions, d *editable) {
			w := d.weak["im1"]
			w.Boxes = append(w.Boxes, w.Boxes[0])
			d.weak["im1"] = w
		}, 1, "1 label edited", 0},
		{"nothing is there, instead of not known", func(_ *testing.T, _ *RunOptions, d *editable) {
			d.weak["im1"] = data.WeakLabels{Boxes: []data.Box{}}
			d.weak["im2"] = data.WeakLabels{}
		}, 2, "2 labels edited", 0},
		{"a photo replaced", func(t *testing.T, _ *RunOptions, d *editable) { d.photo(t, "im2", "other im2") }, 1, "1 photo replaced", 0},
		{"a photo of the same size and time", func(t *testing.T, _ *RunOptions, d *editable) {
			info, err := os.Stat(d.ImagePath("im2"))
			d.photo(t, "im2", "PHOTO im2")
			if err := errors.Join(err, os.Chtimes(d.ImagePath("im2"), info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
		}, 1, "1 photo replaced", 0},
		{"photos touched", func(t *testing.T, _ *RunOptions, d *editable) {
			for _, id := range d.ids {
				if err := os.Chtimes(d.ImagePath(id), later, later); err != nil {
					t.Fatal(err)
				}
			}
		}, 0, "", 0},
		{"the folder copied elsewhere", func(t *testing.T, _ *RunOptions, d *editable) {
			to := t.TempDir()
			if err := os.CopyFS(to, os.DirFS(d.dir)); err != nil {
				t.Fatal(err)
			}
			d.dir = to
		}, 0, "", 0},
		{"an image more", func(t *testing.T, _ *RunOptions, d *editable) {
			d.ids = append(d.ids, "im9")
			d.photo(t, "im9", "photo im9")
			d.box("im9", 0, 0, 4, 4)
		}, 1, "", 0},
		{"an image deleted", func(t *testing.T, _ *RunOptions, d *editable) {
			d.ids = d.ids[:4]
			if err := os.Remove(d.ImagePath("im4")); err != nil {
				t.Fatal(err)
			}
		}, 0, "", 1},
		{"an image renamed", func(t *testing.T, _ *RunOptions, d *editable) {
			if err := os.Rename(d.ImagePath("im4"), d.ImagePath("x/new")); err != nil {
				datatest.Write(t, d.ImagePath("x/new"), "photo im4")
				os.Remove(d.ImagePath("im4"))
			}
			d.ids[4], d.weak["x/new"] = "x/new", d.weak["im4"]
		}, 1, "", 1},
		{"an image taken out of the split", func(_ *testing.T, _ *RunOptions, d *editable) { d.ids = d.ids[:4] }, 0, "", 0},
		{"a class renamed", func(_ *testing.T, _ *RunOptions, d *editable) { d.classes[2] = "c" }, 5, "5 of another class table", 0},
		{"another config", func(_ *testing.T, o *RunOptions, _ *editable) { o.ConfigHash = "h2" }, 5, "5 of other settings", 0},
		{"other weights", func(_ *testing.T, o *RunOptions, _ *editable) { o.Weights = map[string]string{"sam": "1"} }, 5, "5 of other weights", 0},
		{"a label map painted over", func(t *testing.T, o *RunOptions, _ *editable) {
			datatest.Write(t, filepath.Join(o.OutDir, "im0.png"), "not ours")
		}, 1, "1 label map changed or damaged", 0},
		{"several at once", func(t *testing.T, _ *RunOptions, d *editable) {
			d.box("im0", 0, 0, 4, 4)
			d.box("im1", 0, 0, 4, 4)
			d.photo(t, "im2", "other im2")
			d.ids = d.ids[:4]
			os.Remove(d.ImagePath("im4"))
		}, 3, "2 labels edited, 1 photo replaced", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, d := editableRun(t, 5)
			mustRun(t, o)
			if err := o.Hashes.Save(); err != nil {
				t.Fatal(err)
			}
			tt.change(t, &o, d)
			o.Hashes = files.OpenHashes(filepath.Join(o.OutDir, files.HashesName))
			before, err := Check(t.Context(), o)
			if err != nil || before.Why() != tt.why || before.Stale()+before.New != tt.made {
				t.Errorf("Check: %+v (%v), want %d for %q", before, err, tt.made, tt.why)
			}
			sum := mustRun(t, o)
			if sum.Generated != tt.made || sum.Changes.Why() != tt.why || sum.Changes.Gone != tt.gone {
				t.Errorf("%+v, want %d made again for %q, %d gone", sum, tt.made, tt.why, tt.gone)
			}
			if again := mustRun(t, o); again.Generated != 0 || again.Changes != (Changes{}) {
				t.Errorf("a second run: %+v", again)
			}
			fresh := o
			fresh.OutDir, fresh.Hashes = t.TempDir(), nil
			mustRun(t, fresh)
			got, want := contents(t, o.OutDir), contents(t, fresh.OutDir)
			delete(got, files.HashesName)
			if tt.name == "an image taken out of the split" {
				delete(got, "im4.png")
				delete(got, "im4.json")
			}
			same(t, got, want)
		})
	}
}

// Labels that a person or another tool put into the folder stay, even where
// there is no image of theirs.
func TestRetireLeavesForeignFiles(t *testing.T) {
	o, d := editableRun(t, 3)
	mustRun(t, o)
	datatest.Write(t, filepath.Join(o.OutDir, "mine.json"), `{"labels": []}`)
	datatest.Write(t, filepath.Join(o.OutDir, "notes.txt"), "x")
	datatest.Write(t, filepath.Join(o.OutDir, "im2.png"), "painted by hand")
	d.ids = d.ids[:2]
	if err := os.Remove(d.ImagePath("im2")); err != nil {
		t.Fatal(err)
	}
	if sum := mustRun(t, o); sum.Changes.Gone != 0 {
		t.Errorf("%+v", sum)
	}
	for _, name := range []string{"mine.json", "notes.txt", "im2.png", "im2.json"} {
		if _, err := os.Stat(filepath.Join(o.OutDir, name)); err != nil {
			t.Error(err)
		}
	}
}

// Sidecars of versions that noted no origin are taken for up to date, once:
// what changes from then on is noticed.
func TestOldSidecarsAreAdopted(t *testing.T) {
	o, d := editableRun(t, 3)
	mustRun(t, o)
	want := contents(t, o.OutDir)
	for _, id := range d.ids {
		path := filepath.Join(o.OutDir, id+".json")
		var tree map[string]any
		raw, err := os.ReadFile(path)
		if err := errors.Join(err, json.Unmarshal(raw, &tree)); err != nil {
			t.Fatal(err)
		}
		delete(tree, "origin")
		raw, _ = json.MarshalIndent(tree, "", "  ")
		datatest.Write(t, path, string(raw))
	}
	sum := mustRun(t, o)
	if sum.Generated != 0 || sum.Changes.Old != 3 || sum.Skipped != 3 {
		t.Errorf("%+v, want 3 old ones taken up", sum)
	}
	same(t, contents(t, o.OutDir), want)
	d.box("im1", 0, 0, 4, 4)
	if sum := mustRun(t, o); sum.Generated != 1 || sum.Changes.Labels != 1 {
		t.Errorf("%+v, want one made again", sum)
	}
}

// Shards over changed data leave what one process leaves.
func TestShardsOverChangedData(t *testing.T) {
	run := func(shards int) map[string]string {
		o, d := editableRun(t, 7)
		mustRun(t, o)
		d.box("im1", 0, 0, 4, 4)
		d.photo(t, "im4", "other")
		d.ids = slices.DeleteFunc(d.ids, func(id string) bool { return id == "im5" })
		os.Remove(d.ImagePath("im5"))
		made := 0
		for i := range shards {
			if shards > 1 {
				o.Shard = Shard{Index: i, Count: shards}
			}
			made += mustRun(t, o).Generated
		}
		if made != 2 {
			t.Errorf("%d shards: %d made again, want 2", shards, made)
		}
		return contents(t, o.OutDir)
	}
	same(t, run(3), run(1))
}

// A sweep makes again what changed, of configurations that only fuse anew too.
func TestSweepNoticesChanges(t *testing.T) {
	o, d := editableRun(t, 3)
	m := &fakeMethod{}
	const name = "test-sweep-changes"
	Register(name, Spec{Weak: data.WeakKinds, New: func(Env) (Method, error) { return m, nil }})
	t.Cleanup(func() { delete(methods, name) }) // for -count
	cfg := configs.Default()
	cfg.Gen.Method = name
	opts := SweepOptions{Config: cfg, Dataset: d, Split: "train", OutDir: o.OutDir, Axes: []Axis{{Key: "gen.fuse.min_area", Values: []string{"0", "1000"}}}}
	made := func() (n []int) {
		points, err := Sweep(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(points, func(a, b SweepPoint) int { return strings.Compare(a.Set[0], b.Set[0]) })
		for _, p := range points {
			n = append(n, p.Summary.Generated)
		}
		return n
	}
	for _, step := range []struct {
		change func()
		want   []int
	}{
		{func() {}, []int{3, 3}},
		{func() {}, []int{0, 0}},
		{func() { d.box("im1", 0, 0, 3, 3) }, []int{1, 1}},
	} {
		step.change()
		if got := made(); !slices.Equal(got, step.want) {
			t.Errorf("made %v, want %v", got, step.want)
		}
	}
	if m.calls.Load() != 4 {
		t.Errorf("the method ran %d times, want 4", m.calls.Load())
	}
	d.ids = d.ids[:2] // what is out of the split does not count in the mean
	points, err := Sweep(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	signs := map[string]float64{}
	for _, id := range d.ids {
		side, err := ReadSidecar(filepath.Join(points[0].Dir, id+".json"))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(signs, side.Quality)
	}
	if len(signs) == 0 || points[0].Score <= 0 {
		t.Errorf("score %v of signs %v", points[0].Score, signs)
	}
}
