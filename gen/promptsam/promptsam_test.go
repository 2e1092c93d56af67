package promptsam

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/configs"
	"wsss/data"
	"wsss/data/scenes"
	"wsss/gen"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/sam"
)

func TestPointPrompts(t *testing.T) {
	points := []data.Point{{X: 1, Class: 2, Rank: 2}, {X: 2, Class: 1}, {X: 3, Class: 0}, {X: 4, Class: 2, Rank: 1}}
	show := func(list []gen.Prompt) (text []string) {
		for _, p := range list {
			var xs []int
			for _, q := range p.Points {
				xs = append(xs, q.X)
			}
			text = append(text, strings.TrimSpace(fmt.Sprintln(p.Class, p.Source, xs)))
		}
		return text
	}
	tests := []struct {
		name   string
		change func(*pointOptions)
		want   []string
	}{
		{"ranked, with negatives", func(*pointOptions) {}, []string{"1 point [2 3 4 1]", "2 point [4 1 2 3]"}},
		{"background clicks stay", func(o *pointOptions) { o.Negatives = false }, []string{"1 point [2 3]", "2 point [4 1 3]"}},
		{"neither", func(o *pointOptions) { o.Negatives, o.Background = false, false }, []string{"1 point [2]", "2 point [4 1]"}},
		{"one per point", func(o *pointOptions) { o.Negatives, o.Group = false, groupPoint }, []string{"1 point [2 3]", "2 point [4 3]", "2 point [1 3]"}},
		{"one per click", func(o *pointOptions) { o.Negatives, o.Group = false, groupObject }, []string{"1 point [2 3]", "2 point [4 3]", "2 point [1 3]"}},
		{"at most two", func(o *pointOptions) { o.MaxPoints = 2 }, []string{"1 point [2 3]", "2 point [4 2]"}},
		{"far", func(o *pointOptions) { o.Negatives, o.Background, o.Order = false, false, orderFar }, []string{"1 point [2]", "2 point [1 4]"}},
	}
	for _, tt := range tests {
		o := defaultPoints()
		tt.change(&o)
		if diff := cmp.Diff(tt.want, show(o.prompts(clicks(points), 1, "point"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestArrange: a random share of each object's points, at least one, and
// orders that follow from the seed.
func TestArrange(t *testing.T) {
	var spots []spot
	for i := range 50 {
		spots = append(spots, spot{data.Point{X: i, Class: 1}, 0})
	}
	spots = append(spots, spot{data.Point{X: 99, Class: 2}, 1})
	xs := func(o pointOptions, seed uint64) (list []int) {
		for _, s := range o.arrange(spots, rand.New(rand.NewPCG(seed, 1))) {
			list = append(list, s.X)
		}
		return list
	}
	o := defaultPoints()
	o.Fraction = 0.2
	a, b := xs(o, 1), xs(o, 2)
	if len(a) != 11 || a[10] != 99 || !slices.IsSorted(a) {
		t.Errorf("a fifth of 50 and of 1: %v", a)
	}
	if slices.Equal(a, b) || !slices.Equal(a, xs(o, 1)) {
		t.Errorf("the share must follow from the seed: %v, %v", a, b)
	}
	o.Fraction, o.Order = 1, orderRandom
	if a = xs(o, 1); len(a) != 51 || slices.IsSorted(a) || !slices.Equal(a, xs(o, 1)) {
		t.Errorf("random order: %v", a)
	}
	o.Order = orderFar
	if a = xs(o, 1); !slices.Equal(a[:4], []int{0, 99, 49, 24}) {
		t.Errorf("far order begins with %v", a[:4])
	}
	if spots[1].X != 1 {
		t.Error("the given points were changed")
	}
}

// TestMaxLogit: each pixel goes to the class of the highest logit; masks of
// the same class may overlap.
func TestMaxLogit(t *testing.T) {
	o := newOwnership(4, 1)
	var masks []gen.Mask
	for _, m := range []struct {
		class  int
		logits []float32
	}{{1, []float32{3, 3, 1, -1}}, {2, []float32{-1, 4, 2, -2}}, {1, []float32{1, -1, 2, -1}}, {3, []float32{0.5, -1, -1, -1}}} {
		o.add(m.class, m.logits)
		masks = append(masks, gen.Mask{Class: m.class, Bits: data.EncodeRLE(sam.Threshold(m.logits), 4, 1)})
	}
	var got []string
	for _, m := range o.trim(masks) {
		got = append(got, fmt.Sprint(m.Class, m.Bits.Counts))
	}
	if want := []string{"1 [0 1 3]", "2 [1 2 1]", "1 [0 1 3]"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if kept := (*ownership)(nil).trim(masks[:1]); len(kept) != 1 {
		t.Error("without merging nothing is trimmed")
	}
}

func TestStrokePoints(t *testing.T) {
	strokes := []data.Scribble{
		{Class: 3, Points: []image.Point{{X: 0, Y: 0}, {X: 10, Y: 0}, {X: 10, Y: 10}}},
		{Class: 0, Points: []image.Point{{X: 5, Y: 5}}},
	}
	var got []string
	for _, p := range strokePoints(strokes, 8) {
		got = append(got, fmt.Sprint(p.Class, ":", p.X, ",", p.Y))
	}
	if diff := cmp.Diff([]string{"3:4,0", "3:10,2", "3:10,10", "0:5,5"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBoxPrompts(t *testing.T) {
	got := boxPrompts([]data.Box{{X1: 5, Class: 1}, {X1: 6, Class: 2, Crowd: true}, {X1: 7}})
	if len(got) != 1 || got[0].Class != 1 || got[0].Box.X1 != 5 {
		t.Errorf("%+v", got)
	}
}

func TestPhrases(t *testing.T) {
	voc := data.Classes{Names: []string{"background", "bird", "diningtable", "cat"}}
	got, err := phrases(voc, map[string]string{"cat": "kitten"}, map[string]float64{"cat": 0.4})
	if err != nil || got[1].Phrase != "wild bird" || got[2].Phrase != "dining table" || got[3].Phrase != "kitten" || got[3].Threshold != 0.4 || got[1].Threshold != 0 {
		t.Errorf("%v %v", got, err)
	}
	other, _ := phrases(data.Classes{Names: []string{"background", "bird"}}, nil, nil)
	if other[1].Phrase != "bird" {
		t.Errorf("%v", other)
	}
	if _, err := phrases(voc, map[string]string{"cow": "x"}, nil); err == nil || !strings.Contains(err.Error(), "phrases.cow") {
		t.Errorf("%v", err)
	}
	for _, limits := range []map[string]float64{{"cow": 0.5}, {"cat": 2}, {"cat": 0}} {
		if _, err := phrases(voc, nil, limits); err == nil || !strings.Contains(err.Error(), "gen.options.thresholds.c") {
			t.Errorf("%v: %v", limits, err)
		}
	}
}

func env(t testing.TB, ds data.Dataset, method string, weak data.WeakKind, options map[string]any) gen.Env {
	t.Helper()
	b := backendtest.One(t)
	t.Setenv("WSSS_MODELS", t.TempDir())
	return gen.Env{Backend: b, Classes: ds.Classes(), Weak: weak, Gen: configs.Gen{Method: method, Options: options}}
}

func openScenes(t testing.TB, n int) data.Dataset {
	t.Helper()
	ds, err := data.Open("scenes", data.Options{Root: t.TempDir(), Seed: 5, Extra: map[string]any{"train": n, "val": 0, "classes": len(scenes.ClassNames())}})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// meanIoU makes masks of all training scenes and returns the mean IoU of the
// fused label maps with the truth, by class over all pixels.
func meanIoU(t *testing.T, ds data.Dataset, method string, weak data.WeakKind, options map[string]any) float64 {
	t.Helper()
	m, err := gen.New(env(t, ds, method, weak, options))
	if err != nil {
		t.Fatal(err)
	}
	fuser, err := gen.NewFuser(configs.Fuse{Rule: "score"}, data.Classes{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	n := ds.Classes().Len()
	both, any := make([]int, n), make([]int, n)
	for _, id := range ids {
		s, err := ds.Load(id, data.WantImage|data.WantTruth|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		masks, err := m.Generate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if id == ids[0] {
			again, err := m.Generate(context.Background(), s)
			if err != nil || cmp.Diff(masks, again) != "" {
				t.Fatalf("%s: another run gives other masks (%v)", id, err)
			}
		}
		label, err := fuser.Fuse(s.Image.Rect.Size(), masks)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range s.Truth.Pix {
			if want == data.Ignore {
				continue
			}
			got := label.Pix[i]
			any[want]++
			if got == want {
				both[want]++
			} else {
				any[got]++
			}
		}
	}
	sum, seen := 0.0, 0
	for c := range n {
		if any[c] > 0 {
			sum += float64(both[c]) / float64(any[c])
			seen++
		}
	}
	return sum / float64(seen)
}

// TestTinySAM: the masks of the tiny SAM are sensible, from every form of
// label. The bounds are a little below what was measured.
func TestTinySAM(t *testing.T) {
	ds := openScenes(t, 5)
	for _, tt := range []struct {
		name    string
		weak    data.WeakKind
		options map[string]any
		least   float64
	}{
		{"boxes", data.WeakBoxes, nil, 0.8},
		{"boxes, by overlap", data.WeakBoxes, map[string]any{"mask": "overlap"}, 0.8},
		{"boxes, cropped, the most certain", data.WeakBoxes, map[string]any{"crop": true, "merge": "max-logit"}, 0.85},
		{"points", data.WeakPoints, nil, 0.6},
		{"points, iterative", data.WeakPoints, map[string]any{"iterative": true}, 0.6},
		{"scribbles", data.WeakScribbles, nil, 0.6},
		{"scribbles, a random fifth, max-logit", data.WeakScribbles, map[string]any{"step": 1, "fraction": 0.2, "max_points": 0, "merge": "max-logit"}, 0.4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := map[string]any{"sam": "tiny-sam"}
			for k, v := range tt.options {
				options[k] = v
			}
			iou := meanIoU(t, ds, "sam", tt.weak, options)
			t.Logf("mIoU %.3f", iou)
			if iou < tt.least {
				t.Errorf("mIoU %.3f, at least %.2f was measured", iou, tt.least)
			}
		})
	}
}

func TestErrorsNameTheKey(t *testing.T) {
	ds := openScenes(t, 1)
	for _, tt := range []struct {
		method  string
		weak    data.WeakKind
		options map[string]any
		want    string
	}{
		{"sam", data.WeakBoxes, map[string]any{"mask": "second"}, "gen.options.mask"},
		{"sam", data.WeakPoints, map[string]any{"step": 0}, "gen.options.step"},
		{"sam", data.WeakPoints, map[string]any{"group": "image"}, "gen.options.group"},
		{"sam", data.WeakPoints, map[string]any{"order": "best"}, "gen.options.order"},
		{"sam", data.WeakPoints, map[string]any{"fraction": 0}, "gen.options.fraction"},
		{"sam", data.WeakBoxes, map[string]any{"merge": "score"}, "gen.options.merge"},
		{"sam", data.WeakPoints, map[string]any{"colour": 0}, "colour"},
		{"sam", data.WeakBoxes, map[string]any{"iterative": true, "sam": "tiny-sam", "colour": 1}, "colour"},
		{"sam", data.WeakBoxes, map[string]any{"sam": "gdino-tiny"}, "wanted is sam"},
		{"sam", data.WeakBoxes, map[string]any{"sam": "mobile-sam"}, "wsss models pull mobile-sam"},
		{"grounded-sam", data.WeakTags, map[string]any{"sam": "tiny-sam"}, "wsss models pull gdino-tiny"},
		{"sam", data.WeakTags, nil, "method sam takes boxes, points, scribbles"},
	} {
		if _, err := gen.New(env(t, ds, tt.method, tt.weak, tt.options)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %s", tt.options, err, tt.want)
		}
	}
	if !slices.Contains(gen.Methods(), "grounded-sam") {
		t.Error("grounded-sam is not registered")
	}
}
