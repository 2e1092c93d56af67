package grabcut

import (
	"context"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/fastexp"
	"wsss/gen"
)

// disc is a noisy photo of coloured discs on a textured ground, and its mask:
// disc k has class k+1.
func disc(w, h int, discs ...image.Rectangle) (*image.NRGBA, *data.LabelMap) {
	rng := rand.New(rand.NewPCG(1, 2))
	img, truth := image.NewNRGBA(image.Rect(0, 0, w, h)), data.NewLabelMap(w, h)
	colours := []color.NRGBA{{200, 60, 50, 255}, {60, 70, 200, 255}}
	for y := range h {
		for x := range w {
			c := color.NRGBA{90, 140, 80, 255}
			for k, d := range discs {
				if inEllipse(d, x, y) {
					c = colours[k]
					truth.Set(x, y, uint8(k+1))
				}
			}
			n := uint8(rng.IntN(30))
			img.SetNRGBA(x, y, color.NRGBA{c.R + n, c.G + n, c.B + n, 255})
		}
	}
	return img, truth
}

func iou(t *testing.T, masks []gen.Mask, truth *data.LabelMap, class int) float64 {
	t.Helper()
	in := make([]uint8, len(truth.Pix))
	for _, m := range masks {
		if m.Class == class {
			for i, v := range m.Bits.Decode() {
				in[i] |= v
			}
		}
	}
	both, either := 0, 0
	for i, v := range truth.Pix {
		a, b := in[i] == 1, int(v) == class
		if a && b {
			both++
		}
		if a || b {
			either++
		}
	}
	return float64(both) / float64(either)
}

func genEnv(weak data.WeakKind) gen.Env {
	return gen.Env{Weak: weak, Seed: 3, Gen: configs.Gen{Method: "grabcut"}}
}

func newMethod(t *testing.T, weak data.WeakKind, options map[string]any) gen.Method {
	t.Helper()
	m, err := gen.New(gen.Env{Weak: weak, Seed: 3, Gen: configs.Gen{Method: "grabcut", Options: options}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGrabCutFindsObjects(t *testing.T) {
	one, two := image.Rect(20, 25, 70, 65), image.Rect(85, 40, 130, 90)
	img, truth := disc(150, 110, one, two)
	box := func(r image.Rectangle, class int) data.Box {
		return data.Box{X0: float32(r.Min.X), Y0: float32(r.Min.Y), X1: float32(r.Max.X), Y1: float32(r.Max.Y), Class: class}
	}
	weak := data.WeakLabels{
		Boxes:  []data.Box{box(one, 1), box(two, 2)},
		Points: []data.Point{{X: 45, Y: 45, Class: 1}, {X: 107, Y: 65, Class: 2}},
		Scribbles: []data.Scribble{
			{Class: 1, Points: []image.Point{{35, 45}, {55, 45}}}, {Class: 2, Points: []image.Point{{105, 50}, {107, 80}}},
			{Class: 0, Points: []image.Point{{10, 10}, {140, 12}}},
		},
		Tags: []int{1, 2},
	}
	for _, tt := range []struct {
		weak    data.WeakKind
		options map[string]any
		least   float64
	}{
		{data.WeakBoxes, nil, 0.97},
		{data.WeakBoxes, map[string]any{"max_side": 40}, 0.95},
		{data.WeakBoxes, map[string]any{"prior": 0.0}, 0.97},
		{data.WeakPoints, nil, 0.95},
		{data.WeakScribbles, nil, 0.97},
	} {
		m := newMethod(t, tt.weak, tt.options)
		masks, err := m.Generate(t.Context(), &data.Sample{Image: img, Weak: weak})
		if err != nil {
			t.Fatal(err)
		}
		for class := 1; class <= 2; class++ {
			if got := iou(t, masks, truth, class); got < tt.least {
				t.Errorf("%s %v, class %d: IoU %.3f, want %.2f", tt.weak, tt.options, class, got, tt.least)
			}
		}
		for _, k := range masks {
			if !(k.Score > 0.5 && k.Score <= 1) || !(k.Stability > 0 && k.Stability <= 1) || k.Note != "" {
				t.Errorf("%s: mask %+v", tt.weak, k)
			}
		}
		again, _ := m.Generate(t.Context(), &data.Sample{Image: img, Weak: weak})
		for i := range masks {
			if !slices.Equal(masks[i].Bits.Counts, again[i].Bits.Counts) {
				t.Errorf("%s: mask %d differs the second time", tt.weak, i)
			}
		}
	}
}

// An object that colour cannot tell from its background still gets a mask that
// fills its box.
func TestBoxOnFlatImage(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 60, 50))
	for i := range img.Pix {
		img.Pix[i] = 128
	}
	b := data.Box{X0: 10, Y0: 10, X1: 50, Y1: 40, Class: 1}
	masks, err := newMethod(t, data.WeakBoxes, nil).Generate(t.Context(), &data.Sample{Image: img, Weak: data.WeakLabels{Boxes: []data.Box{b}}})
	if err != nil || len(masks) != 1 {
		t.Fatal(masks, err)
	}
	if got := masks[0].Bits.Bounds(); got != b.Rect() {
		t.Errorf("mask spans %v, its box %v", got, b.Rect())
	}
	if !strings.Contains(masks[0].Note, "ellipse") && masks[0].Bits.Area() < 30*40/2 {
		t.Errorf("mask %+v of %d pixels", masks[0], masks[0].Bits.Area())
	}
}

func TestTagsSayThatTheyAreWeak(t *testing.T) {
	img, truth := disc(120, 90, image.Rect(35, 25, 85, 70))
	masks, err := newMethod(t, data.WeakTags, nil).Generate(t.Context(), &data.Sample{Image: img, Weak: data.WeakLabels{Tags: []int{1}}})
	if err != nil || len(masks) != 1 {
		t.Fatal(masks, err)
	}
	if got := iou(t, masks, truth, 1); got < 0.9 || !strings.HasPrefix(masks[0].Note, "weak:") || masks[0].Score > 0.5 {
		t.Errorf("IoU %.2f, mask %+v", got, masks[0])
	}
}

func TestEdgeCases(t *testing.T) {
	img, _ := disc(40, 30, image.Rect(10, 8, 30, 22))
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	box := data.Box{X0: 10, Y0: 8, X1: 30, Y1: 22, Class: 1}
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		weak  data.WeakKind
		label data.WeakLabels
		masks int
		err   string
	}{
		{"no boxes", t.Context(), data.WeakBoxes, data.WeakLabels{Boxes: []data.Box{}}, 0, ""},
		{"no labels", t.Context(), data.WeakBoxes, data.WeakLabels{}, 0, "has no boxes"},
		{"no points", t.Context(), data.WeakPoints, data.WeakLabels{Points: []data.Point{}}, 0, ""},
		{"box outside", t.Context(), data.WeakBoxes, data.WeakLabels{Boxes: []data.Box{{X0: 90, Y0: 0, X1: 99, Y1: 9}}}, 0, ""},
		{"box of one pixel", t.Context(), data.WeakBoxes, data.WeakLabels{Boxes: []data.Box{{X0: 5, Y0: 5, X1: 6, Y1: 6, Class: 1}}}, 1, ""},
		{"crowd", t.Context(), data.WeakBoxes, data.WeakLabels{Boxes: []data.Box{{X0: 5, Y0: 5, X1: 20, Y1: 20, Class: 1, Crowd: true}}}, 0, ""},
		{"point outside", t.Context(), data.WeakPoints, data.WeakLabels{Points: []data.Point{{X: 400, Y: 3, Class: 1}}}, 0, ""},
		{"cancelled", cancelled, data.WeakBoxes, data.WeakLabels{Boxes: []data.Box{box}}, 0, "canceled"},
	} {
		masks, err := newMethod(t, tt.weak, nil).Generate(tt.ctx, &data.Sample{Image: img, Weak: tt.label})
		if len(masks) != tt.masks || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d masks, %v", tt.name, len(masks), err)
		}
	}
}

func TestOptionsAreStrict(t *testing.T) {
	for key, v := range map[string]any{"gama": 1.0, "gamma": -1.0, "iterations": 0, "min_reach": math.NaN(), "radius": 2.0} {
		_, err := gen.New(gen.Env{Weak: data.WeakBoxes, Gen: configs.Gen{Method: "grabcut", Options: map[string]any{key: v}}})
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "allowed") {
			t.Errorf("%s = %v: %v", key, v, err)
		}
	}
	if _, err := gen.New(gen.Env{Weak: data.WeakNone, Gen: configs.Gen{Method: "grabcut"}}); err == nil || !strings.Contains(err.Error(), "boxes") {
		t.Errorf("weak none: %v", err)
	}
}

// The mixture's log density must be that of its Gaussians.
func TestMixtureDensity(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var m moments
	for range 2000 {
		m.add(float32(50+5*rng.NormFloat64()), float32(100+8*rng.NormFloat64()), float32(150+3*rng.NormFloat64()))
	}
	var g gmm
	g.set(&[Components]moments{m})
	at, _ := g.logDensity(50, 100, 150)
	away, _ := g.logDensity(55, 108, 153) // one deviation on each axis
	if d := float64(at - away); math.Abs(d-1.5) > 0.15 {
		t.Errorf("log density falls by %.3f nats over one deviation on three axes, want 1.5", d)
	}
}

func TestGeodesicDistance(t *testing.T) {
	// A wall of another colour with one gap: the way leads through the gap.
	w, h := 9, 5
	rgb := make([]float32, w*h*3)
	for y := range h {
		if y != 4 {
			rgb[(y*w+4)*3] = 255
		}
	}
	d := geodesic(rgb, w, h, func(i int) bool { return i == 0 })
	if !(d[8] > d[4*w+8]) || d[0] != 0 {
		t.Errorf("behind the wall %v, behind the gap %v", d[8], d[4*w+8])
	}
	if d := geodesic(rgb, w, h, func(int) bool { return false }); !math.IsInf(float64(d[0]), 1) {
		t.Errorf("distance to nothing is %v", d[0])
	}
}

func TestExp32(t *testing.T) {
	for x := float32(-85); x <= 0; x += 0.0137 {
		want := math.Exp(float64(x))
		if got := float64(fastexp.Rough(x)); math.Abs(got-want) > 2e-5*want && x > -80 || got > want+1e-34 && x < -80 {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if fastexp.Rough(0) != 1 {
		t.Errorf("exp(0) = %v", fastexp.Rough(0))
	}
}

// TestEnormousRegion: where a region has more pixels than are cut at once, it is
// cut smaller, and the mask enlarged to the image.
func TestEnormousRegion(t *testing.T) {
	at := image.Rect(70, 60, 250, 200)
	img, truth := disc(320, 257, at)
	box := []data.Box{{X0: 70, Y0: 60, X1: 250, Y1: 200, Class: 1}}
	for _, tt := range []struct {
		name            string
		maxCut, maxSide int
		fine            int
		least           float64
	}{
		{"whole", 0, 240, 1, 0.97},
		{"at a third, after a first cut at a quarter", 320 * 257 / 8, 80, 3, 0.93},
		{"at a third at once", 320 * 257 / 8, 0, 3, 0.93},
		{"never smaller first", 0, 0, 1, 0.97},
	} {
		o := defaults()
		o.MaxSide = tt.maxSide
		c := &cutter{ctx: t.Context(), opts: o, solver: &Solver{Gamma: o.Gamma}, img: img, maxCut: tt.maxCut}
		if f := c.fine(img.Rect); f != tt.fine {
			t.Errorf("%s: reduced by %d, want %d", tt.name, f, tt.fine)
		}
		masks, err := c.boxes(box)
		if err != nil {
			t.Fatal(err)
		}
		if got := iou(t, masks, truth, 1); got < tt.least {
			t.Errorf("%s: IoU %.3f, want %.2f", tt.name, got, tt.least)
		}
	}
}
