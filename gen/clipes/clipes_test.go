package clipes

import (
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/coco"
	"wsss/data/datatest"
	"wsss/data/scenes"
	"wsss/data/voc"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/backend/backendtest"
)

// TestRefineParity refines PyTorch's maps by PyTorch's attention, and compares
// with a reference in double precision (models/foundation/vitcam/testdata).
func TestRefineParity(t *testing.T) {
	const tolerance = 1e-3
	var f struct {
		Tau   float64
		Cases []struct {
			Export        string
			Width, Height int
			CAMs, Refined [][]float32
			Attention     []float32
		}
	}
	datatest.JSON(t, "../../models/foundation/vitcam/testdata/maps.json", &f)
	checked := 0
	for _, c := range f.Cases {
		if c.Attention == nil {
			continue
		}
		const patch = 8
		w, h := (c.Width+patch-1)/patch, (c.Height+patch-1)/patch
		a := affinity(c.Attention, w*h)
		for i, cam := range c.CAMs {
			normalise(cam)
			got := spread(cam, a, w, h, f.Tau)
			for k, v := range got {
				if d := math.Abs(float64(v - c.Refined[i][k])); !(d <= tolerance) {
					t.Fatalf("%s, map %d: %v at %d, want %v", c.Export, i, v, k, c.Refined[i][k])
				}
			}
			checked++
		}
	}
	if checked != 4 {
		t.Errorf("%d maps were compared", checked)
	}
}

func TestBoxes(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []string
		want []image.Rectangle
	}{
		{"one region, touching at a corner", []string{".....", ".#...", "..#..", "....."}, []image.Rectangle{image.Rect(1, 1, 3, 3)}},
		{"the last row and column stay outside", []string{"....", "..##", "..##"}, []image.Rectangle{image.Rect(2, 1, 3, 2)}},
		{"a region of the last row alone", []string{"....", "....", "#..."}, nil},
		{"a ring and what is in it", []string{"#####.", "#...#.", "#.#.#.", "#...#.", "#####.", "......"}, []image.Rectangle{image.Rect(0, 0, 5, 5), image.Rect(2, 2, 3, 3)}},
	} {
		w, h := len(c.rows[0]), len(c.rows)
		cam := make([]float32, 0, w*h)
		for _, r := range strings.Join(c.rows, "") {
			cam = append(cam, map[rune]float32{'.': 0.4, '#': 1}[r])
		}
		if got := boxes(cam, w, h, 0.4); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	named := func(list []string) data.Classes {
		return data.Classes{Names: append([]string{"background"}, list...)}
	}
	vocClasses, cocoClasses := named(voc.ClassNames), named(coco.ClassNames)
	for _, c := range []struct {
		classes      data.Classes
		background   int
		class, words string
	}{
		{vocClasses, 25, "tvmonitor", "tvmonitor screen"},
		{vocClasses, 25, "sofa", "sofa"},
		{cocoClasses, 23, "snowboard", "sknowboard"},
		{cocoClasses, 23, "couch", "sofa"},
		{cocoClasses, 23, "zebra", "zebra"},
		{data.Classes{Names: []string{"background", "house", "bird"}}, 24, "bird", "bird"},
	} {
		words, background, err := texts(c.classes, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := words[c.classes.Index(c.class)-1][0]; got != c.words || len(background) != c.background || len(words) != c.classes.Len()-1 {
			t.Errorf("%s is %q among %d background words", c.class, got, len(background))
		}
	}
	for name := range cocoTexts {
		if cocoClasses.Index(name) <= 0 {
			t.Errorf("COCO has no class %s", name)
		}
	}
	words, background, err := texts(vocClasses, map[string][]string{"cat": {"cat", "kitten"}}, []string{"sky"})
	if err != nil || len(words[7]) != 2 || len(background) != 1 {
		t.Errorf("own words: %v, %v, %v", words[7], background, err)
	}
	if _, _, err := texts(vocClasses, map[string][]string{"unicorn": {"x"}}, nil); err == nil || !strings.Contains(err.Error(), "unicorn") {
		t.Errorf("an unknown class: %v", err)
	}
}

func openScenes(t *testing.T, n int) data.Dataset {
	t.Helper()
	ds, err := data.Open("scenes", data.Options{Root: t.TempDir(), Seed: 5, Extra: map[string]any{"train": n, "val": 0, "classes": len(scenes.ClassNames())}})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func open(t *testing.T, ds data.Dataset, name string, options map[string]any) (gen.Method, error) {
	t.Helper()
	b := backendtest.One(t)
	return gen.New(gen.Env{Backend: b, Classes: ds.Classes(), Weak: data.WeakTags, Gen: configs.Gen{Method: name, Weak: "tags", Options: options}})
}

// TestCLIPES runs the method whole with the tiny CLIP: the maps point at their
// classes better than chance, are saved as CLIP-ES saves them, and are a source
// of scores.
func TestCLIPES(t *testing.T) {
	ds := openScenes(t, 8)
	dir := t.TempDir()
	m, err := open(t, ds, "clip-es", map[string]any{"clip": "tiny-clip", "absent": true, "zoom": 0.5, "save": dir, "min_confidence": 0})
	if err != nil {
		t.Fatal(err)
	}
	scorer := m.(source.Scorer)
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	hits, maps := 0.0, 0
	chance, labelled := 0.0, 0
	for _, id := range ids {
		s, err := ds.Load(id, data.WantImage|data.WantWeak|data.WantTruth)
		if err != nil {
			t.Fatal(err)
		}
		scores, err := scorer.Scores(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		saved, err := source.ReadScores(filepath.Join(dir, id+".npy"), "", 1, ds.Classes().Len())
		if err != nil || !slices.Equal(saved.Classes, scores.Classes) || saved.W != s.Image.Rect.Dx() {
			t.Fatalf("%s: saved %+v, %v", id, saved, err)
		}
		for i, class := range scores.Classes {
			best, inside := 0, 0
			for k, v := range scores.Maps[i] {
				if d := math.Abs(float64(v - saved.Maps[i][k])); d > 1e-3 || v < 0 || v > 1 {
					t.Fatalf("%s: score %v, saved %v", id, v, saved.Maps[i][k])
				}
				if v > scores.Maps[i][best] {
					best = k
				}
				if int(s.Truth.Pix[k]) == class {
					inside++
				}
			}
			if maps++; int(s.Truth.Pix[best]) == class {
				hits++
			}
			chance += float64(inside) / float64(len(scores.Maps[i]))
		}
		masks, err := m.Generate(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		labelled += len(masks)
	}
	t.Logf("the strongest point lies in an object of the class in %.0f of %d maps; chance is %.1f", hits, maps, chance)
	if labelled < maps/2 {
		t.Errorf("%d masks of %d maps", labelled, maps)
	}
	if hits <= 1.5*chance {
		t.Errorf("the strongest point lies in an object of the class in %v of %d maps, chance is %.1f", hits, maps, chance)
	}
	if w := m.(interface{ Weights() map[string]string }).Weights(); len(w) != 2 {
		t.Errorf("weights %v", w)
	}
}

// TestVITCAM makes maps by a random classifier of the scenes' classes.
func TestVITCAM(t *testing.T) {
	ds := openScenes(t, 1)
	dir := t.TempDir()
	raw, err := os.ReadFile("../../models/foundation/vitcam/testdata/classifier.onnx")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "classifier.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	describe := func(classes []string) {
		raw, err := json.Marshal(map[string]any{"classes": classes})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "classifier.json"), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	describe([]string{"background", "cat"})
	options := map[string]any{"classifier": path, "crf": false}
	if _, err := open(t, ds, "vit-cam", options); err == nil || !strings.Contains(err.Error(), "the classifier knows background, cat") {
		t.Errorf("other classes: %v", err)
	}
	describe(ds.Classes().Names)
	for _, token := range []string{"class", "mean"} {
		options["token"] = token
		m, err := open(t, ds, "vit-cam", options)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := ds.IDs("train")
		if err != nil {
			t.Fatal(err)
		}
		s, err := ds.Load(ids[0], data.WantImage|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		masks, err := m.Generate(t.Context(), s)
		if err != nil || len(masks) == 0 || masks[0].From.Source != "vit-cam" {
			t.Errorf("%s: %d masks, %v", token, len(masks), err)
		}
	}
}

func TestOptions(t *testing.T) {
	ds := openScenes(t, 1)
	type o = map[string]any
	for want, c := range map[string]struct {
		method string
		opts   o
	}{
		"max_side":              {"clip-es", o{"max_side": 1}},
		"gen.options.alpha":     {"clip-es", o{"alpha": -1}},
		"image = \"bgr\"":       {"clip-es", o{"image": "bgr"}},
		"templates is empty":    {"clip-es", o{"templates": []string{}}},
		"background is empty":   {"clip-es", o{"clip": "tiny-clip", "background": []string{}}},
		"is of family sam":      {"clip-es", o{"clip": "tiny-sam"}},
		"classifier is missing": {"vit-cam", nil},
		"token = \"all\"":       {"vit-cam", o{"classifier": "c.onnx", "token": "all"}},
		"unknown key softmax":   {"vit-cam", o{"classifier": "c.onnx", "softmax": false}},
	} {
		if _, err := open(t, ds, c.method, c.opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %v: %v, want %q", c.method, c.opts, err, want)
		}
	}
	n, err := gen.NeedsOf(configs.Gen{Method: "clip-es"})
	if err != nil || fmt.Sprint(n.Models) != "[clip-vit-b-16]" {
		t.Errorf("needs %v, %v", n, err)
	}
}
