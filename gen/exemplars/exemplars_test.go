package exemplars

import (
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/gentest"
	_ "wsss/gen/grabcut"
	"wsss/models/backend/backendtest"
	. "wsss/models/onnximport/onnxtest"
)

var fruit = data.Classes{Names: []string{"background", "apple", "leaf"}}

type m = map[string]any

// painted is a dataset of photos with blocks of a class's colour.
type painted struct{ *gentest.Split }

func newPainted() painted { return painted{gentest.NewSplit(fruit)} }

type block struct {
	class int
	at    image.Rectangle
}

var (
	left, right = image.Rect(8, 16, 40, 48), image.Rect(56, 16, 88, 48)
	tints       = []color.NRGBA{{70, 70, 70, 255}, {220, 40, 40, 255}, {40, 220, 40, 255}}
)

// add paints a photo; boxes are those that a person drew.
func (s painted) add(id string, blocks []block, boxes ...data.Box) {
	img := image.NewNRGBA(image.Rect(0, 0, 96, 64))
	for y := range 64 {
		for x := range 96 {
			c := tints[0]
			for _, b := range blocks {
				if image.Pt(x, y).In(b.at) {
					c = tints[b.class]
				}
			}
			c.B += uint8(3 * (x + y + len(s.Order)) % 7)
			img.SetNRGBA(x, y, c)
		}
	}
	s.Add(&data.Sample{ID: id, Image: img, Weak: data.WeakLabels{Boxes: boxes}})
}

func boxOf(b block) data.Box {
	return data.Box{X0: float32(b.at.Min.X), Y0: float32(b.at.Min.Y), X1: float32(b.at.Max.X), Y1: float32(b.at.Max.Y), Class: b.class}
}

func env(t *testing.T, o m) gen.Env {
	return gen.Env{Backend: backendtest.One(t), Classes: fruit, Weak: data.WeakExemplars, Gen: configs.Gen{Method: "exemplars", Weak: "exemplars", Options: o}}
}

func learn(t *testing.T, s painted, o m) (gen.Method, error) {
	t.Helper()
	method, err := gen.New(env(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return method, gen.Learn(t.Context(), method, gen.Lesson{Dataset: s, IDs: s.Order, Dir: t.TempDir()})
}

func byColour(t *testing.T) m {
	return m{"find": "features", "features": m{"network": MeanColours(t), "norm": "unit"}, "alike": m{"min_similarity": 0.9}}
}

// TestAlike: one box a class finds the objects of the classes on other photos and
// on its own; photos without any have none; the sidecar says by what.
func TestAlike(t *testing.T) {
	s := newPainted()
	apple, leaf := block{1, left}, block{2, right}
	s.add("apple", []block{apple, {1, right}}, boxOf(apple))
	s.add("leaf", []block{leaf}, boxOf(leaf))
	s.add("both", []block{{2, left}, {1, right}})
	s.add("none", nil)
	method, err := learn(t, s, byColour(t))
	if err != nil {
		t.Fatal(err)
	}
	again := func() {
		t.Helper()
		if err := gen.Learn(t.Context(), method, gen.Lesson{Dataset: s, IDs: s.Order, Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, when := range []string{"learnt", "learnt twice", "after other boxes"} {
		switch when {
		case "learnt twice": // as by a process of a job
			again()
		case "after other boxes":
			box := &s.Samples["leaf"].Weak.Boxes[0]
			box.Class = 1
			again()
			box.Class = 2
			again()
		}
		for id, want := range map[string]string{
			"apple": "1 box, 1 exemplar by apple", "leaf": "2 box", "both": "1 exemplar by apple, 2 exemplar by leaf", "none": "",
		} {
			masks, err := method.Generate(t.Context(), s.Samples[id])
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, mask := range masks {
				text := fmt.Sprintf("%d %s", mask.Class, mask.From.Source)
				for _, v := range mask.VouchedBy {
					text += " by " + v.Photo
				}
				got = append(got, text)
				bounds := mask.Bits.Bounds()
				if at := []image.Rectangle{left, right}; bounds.Intersect(at[0]).Empty() == bounds.Intersect(at[1]).Empty() || mask.Bits.Area() < 800 || mask.Bits.Area() > 1200 {
					t.Errorf("%s, %s: a mask of %d pixels at %v", when, id, mask.Bits.Area(), bounds)
				}
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, %s: %v, want %s", when, id, got, want)
			}
		}
	}
}

// TestFiles: the list of exemplars is what labels depend on; one list is kept.
func TestFiles(t *testing.T) {
	s := newPainted()
	apple := block{1, left}
	s.add("apple", []block{apple}, boxOf(apple))
	method, err := gen.New(env(t, byColour(t)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	names := func() string {
		t.Helper()
		if err := gen.Learn(t.Context(), method, gen.Lesson{Dataset: s, IDs: s.Order, Dir: dir}); err != nil {
			t.Fatal(err)
		}
		list, err := gen.InputFiles(method, "apple")
		there, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
		if err != nil || len(list) != 1 || len(there) != 1 || there[0] != list[0] {
			t.Fatalf("%v, %v, %v", list, there, err)
		}
		return list[0]
	}
	first := names()
	if names() != first {
		t.Error("the same exemplars give another list")
	}
	s.Samples["apple"].Weak.Boxes[0].X1 += 2
	if method, err = gen.New(env(t, byColour(t))); err != nil {
		t.Fatal(err)
	}
	if names() == first {
		t.Error("another box gives the same list")
	}
}

// TestBest: of boxes that overlap the better stays, the photo's own before all.
func TestBest(t *testing.T) {
	at := func(x float32, class int) data.Box { return data.Box{X0: x, Y0: 0, X1: x + 10, Y1: 10, Class: class} }
	o := defaults()
	o.Most = 2
	got := o.best([]found{{at(0, 1), 0.5, 0}, {at(1, 1), 0.6, 1}, {at(1, 2), 0.4, 2}, {at(50, 1), 0.9, 3}, {at(80, 1), 0.1, 4}}, []data.Box{at(51, 1)})
	if fmt.Sprint(got) != fmt.Sprint([]found{{at(1, 1), 0.6, 1}, {at(1, 2), 0.4, 2}}) {
		t.Errorf("%v", got)
	}
}

// TestErrors: each names what is wrong.
func TestErrors(t *testing.T) {
	for want, o := range map[string]m{
		`find = "clip": allowed are owlv2, features`:    {"find": "clip"},
		"exactly one of model":                          {"find": "features"},
		`[gen.options.owl] is of find = "owlv2"`:        {"find": "features", "owl": m{"min_score": 0.5}},
		`[gen.options.features] is of find`:             {"features": m{"model": "dinov2-small"}},
		"allowed is one of model":                       {"owl": m{"model": "owlv2-base", "network": "x"}},
		"overlap = 2: allowed are 0 to 1":               {"overlap": 2.0},
		`gen.method = "cam" is unknown`:                 {"masks": m{"method": "cam"}}, // not linked here
		"wsss models pull owlv2-base":                   {},
		`gen.method = "grabbcut" is unknown`:            {"masks": m{"method": "grabbcut"}},
		"alike.min_similarity = 3: allowed are -1 to 1": {"find": "features", "features": m{"model": "dinov2-small"}, "alike": m{"min_similarity": 3.0}},
	} {
		t.Setenv("WSSS_MODELS", t.TempDir())
		if _, err := gen.New(env(t, o)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", o, err, want)
		}
	}
	s := newPainted()
	s.add("none", nil)
	if _, err := learn(t, s, byColour(t)); err == nil || !strings.Contains(err.Error(), "no box in 1 photo:") {
		t.Errorf("without a box: %v", err)
	}
	s.add("whole", []block{{1, image.Rect(0, 0, 96, 64)}}, data.Box{X1: 96, Y1: 64, Class: 1})
	if _, err := learn(t, s, byColour(t)); err == nil || !strings.Contains(err.Error(), "cover their photos whole") {
		t.Errorf("a box around all: %v", err)
	}
	s = newPainted()
	s.add("out", nil, data.Box{X0: 100, X1: 120, Y1: 9, Class: 1})
	if _, err := learn(t, s, byColour(t)); err == nil || !strings.Contains(err.Error(), "outside the image") {
		t.Errorf("a box outside: %v", err)
	}
	method, err := gen.New(env(t, byColour(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := method.Generate(t.Context(), s.Samples["out"]); err == nil || !strings.Contains(err.Error(), "whole split") {
		t.Errorf("before learning: %v", err)
	}
}
