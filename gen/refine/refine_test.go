package refine

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/weak/npy"
	"wsss/gen"
	"wsss/models/backend/backendtest"
)

type options = map[string]any

var voc = data.Classes{Names: make([]string, 21)}

func newMethod(name string, o options) (gen.Method, error) {
	return gen.New(gen.Env{Classes: voc, Weak: data.WeakNone, Gen: configs.Gen{Method: name, Options: o}})
}

// label runs a method on a sample and fuses what it makes.
func label(t *testing.T, name string, o options, s *data.Sample) *data.LabelMap {
	t.Helper()
	m, err := newMethod(name, o)
	if err != nil {
		t.Fatal(err)
	}
	masks, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gen.NewFuser(configs.Fuse{Rule: "score"}, data.Classes{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Fuse(s.Image.Rect.Size(), masks)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func blank(id string, w, h int) *data.Sample {
	return &data.Sample{ID: id, Image: image.NewNRGBA(image.Rect(0, 0, w, h))}
}

func write(t *testing.T, path string, m *data.LabelMap) {
	t.Helper()
	if err := data.WriteLabelMap(path, m); err != nil {
		t.Fatal(err)
	}
}

// agreement is the share of pixels of equal value.
func agreement(t *testing.T, a, b []uint8) float64 {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d and %d pixels", len(a), len(b))
	}
	n := 0
	for i := range a {
		if a[i] == b[i] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

func expected(t *testing.T, name string) []uint8 {
	t.Helper()
	a, err := npy.Read(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Int64()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

func TestRandomWalkEqualsIRNAndPSA(t *testing.T) {
	for name, o := range map[string]options{
		"irn": {"from": options{"scores": "testdata/cams", "key": "cam"}, "edges": "testdata/edges"},
		"psa": {"from": options{"scores": "testdata/full", "background": "power", "alpha": 1.5},
			"features": "testdata/features", "stride": 8, "beta": 8.0},
	} {
		got, want := label(t, "random-walk", o, blank("a", 37, 29)), expected(t, name+"_label.npy")
		if a := agreement(t, got.Pix, want); a < 1 {
			t.Errorf("%s: %.4f of the pixels agree with the reference", name, a)
		}
	}
}

// disc is a photo of a red disc on green, its label (class 3), and a noisy
// copy of the label.
func disc(id string) (s *data.Sample, truth, noisy *data.LabelMap) {
	const w, h = 60, 48
	rng := rand.New(rand.NewPCG(1, 1))
	s = blank(id, w, h)
	truth, noisy = data.NewLabelMap(w, h), data.NewLabelMap(w, h)
	for y := range h {
		for x := range w {
			c := color.NRGBA{60, 150, 60, 255}
			if (x-30)*(x-30)+(y-24)*(y-24) < 15*15 {
				c = color.NRGBA{180, 50, 40, 255}
				truth.Set(x, y, 3)
			}
			s.Image.SetNRGBA(x, y, c)
			v := truth.At(x, y)
			switch {
			case rng.IntN(5) == 0:
				v = 3 - v
			case rng.IntN(12) == 0:
				v = data.Ignore
			}
			noisy.Set(x, y, v)
		}
	}
	return s, truth, noisy
}

func TestRefinersCleanLabels(t *testing.T) {
	s, truth, noisy := disc("a")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "labels", "a.png"), noisy)
	from := options{"labels": filepath.Join(dir, "labels")}
	walkFrom := options{"labels": filepath.Join(dir, "labels"), "threshold": 0.5}
	for _, tt := range []struct {
		method string
		o      options
		least  float64
	}{
		{"crf", options{"from": from}, 0.99},
		{"crf", options{"from": from, "preset": "irn", "gaussian_weight": 1.0}, 0.99},
		{"crf", options{"from": from, "image": "kaz"}, 0.99},
		{"random-walk", options{"from": walkFrom, "stride": 1, "squarings": 4}, 0.97},
		{"crf", options{"from": options{"method": "random-walk", "options": options{"from": walkFrom, "stride": 1, "squarings": 4}}}, 0.99},
	} {
		if got := agreement(t, label(t, tt.method, tt.o, s).Pix, truth.Pix); got < tt.least {
			t.Errorf("%s %v: %.3f of the pixels are right, %.3f before", tt.method, tt.o, got, agreement(t, noisy.Pix, truth.Pix))
		}
	}
	m, err := newMethod("crf", options{"from": options{"method": "crf", "options": options{"from": from}}})
	if err != nil {
		t.Fatal(err)
	}
	if in, err := m.(gen.Reader).Inputs(); err != nil || !slices.Equal(slices.Collect(maps.Keys(in)), []string{from["labels"].(string)}) {
		t.Errorf("inputs %v, %v", in, err)
	}
	if needs, err := gen.NeedsBackend(configs.Gen{Method: "crf", Options: options{"from": from}}); needs || err != nil {
		t.Errorf("NeedsBackend = %v, %v", needs, err)
	}
}

func TestCRFFromScores(t *testing.T) {
	s := blank("a", 37, 29)
	for i := range s.Image.Pix {
		s.Image.Pix[i] = uint8(i * i >> 5)
	}
	from := options{"scores": "testdata/full", "background": "power"}
	// Without an iteration the label is the arg-max of the scores.
	plain := label(t, "import", from, s)
	if got := label(t, "crf", options{"from": from, "iterations": 0}, s); !slices.Equal(got.Pix, plain.Pix) {
		t.Error("crf without iterations changes the label")
	}
	sure := label(t, "crf", options{"from": from, "iterations": 2, "min_confidence": 0.95}, s)
	all := label(t, "crf", options{"from": from, "iterations": 2}, s)
	void := 0
	for i, v := range sure.Pix {
		if v == data.Ignore {
			void++
		} else if v != all.Pix[i] {
			t.Fatalf("pixel %d is %d, without min_confidence %d", i, v, all.Pix[i])
		}
	}
	if void == 0 || void == len(sure.Pix) {
		t.Errorf("%d of %d pixels are void", void, len(sure.Pix))
	}
	// IRN's labels: scores between the two thresholds stay void.
	irn := label(t, "crf", options{"from": options{"scores": "testdata/full"}, "preset": "irn", "iterations": 0,
		"confident": []any{0.5, 0.1}}, s)
	high := label(t, "import", options{"scores": "testdata/full", "threshold": 0.5}, s)
	low := label(t, "import", options{"scores": "testdata/full", "threshold": 0.1}, s)
	seen := irn.Present()
	for i, v := range irn.Pix {
		want := high.Pix[i]
		if want == 0 && low.Pix[i] != 0 {
			want = data.Ignore
		}
		if v != want {
			t.Fatalf("pixel %d is %d, want %d", i, v, want)
		}
	}
	if !seen[0] || !seen[2] || !seen[7] || !seen[data.Ignore] {
		t.Error("the label lacks a value")
	}
	// AffinityNet's: what wins against (1 − max)^2 stays, background is what wins
	// with the exponent 16 as well, the rest is void.
	psa := label(t, "crf", options{"from": options{"scores": "testdata/full"}, "preset": "psa", "iterations": 0, "alphas": []any{2.0, 16.0}}, s)
	much := label(t, "import", options{"scores": "testdata/full", "background": "power", "alpha": 2.0}, s)
	little := label(t, "import", options{"scores": "testdata/full", "background": "power", "alpha": 16.0}, s)
	for i, v := range psa.Pix {
		want := much.Pix[i]
		if little.Pix[i] == 0 {
			want = 0
		} else if want == 0 {
			want = data.Ignore
		}
		if v != want {
			t.Fatalf("pixel %d is %d, want %d", i, v, want)
		}
	}
	if seen := psa.Present(); !seen[0] || !seen[2] || !seen[data.Ignore] {
		t.Error("AffinityNet's label lacks a value")
	}
}

func TestSEPL(t *testing.T) {
	dir := t.TempDir()
	const w, h = 8, 4
	pseudo := data.NewLabelMap(w, h)
	mask := data.NewLabelMap(w, h)
	for y := range h {
		for x := range w {
			if x < 3 {
				pseudo.Set(x, y, 5)
			}
			if x < 4 {
				mask.Set(x, y, 255)
			} else {
				mask.Set(x, y, 254) // not inside
			}
		}
	}
	write(t, filepath.Join(dir, "labels", "a.png"), pseudo)
	write(t, filepath.Join(dir, "masks", "a", "0.png"), mask)
	datatest.Write(t, filepath.Join(dir, "masks", "a", "metadata.csv"), "id,area\n")
	bits := slices.Clone(mask.Pix)
	for i := range bits {
		bits[i] /= 255
	}
	side := gen.Sidecar{ID: "a", Width: w, Height: h, Masks: []gen.SidecarMask{{RLE: data.EncodeRLE(bits, w, h).COCOString()}}}
	if err := files.WriteJSON(filepath.Join(dir, "run", "a.json"), side); err != nil {
		t.Fatal(err)
	}
	want := data.NewLabelMap(w, h)
	for i, v := range bits {
		want.Pix[i] = 5 * v
	}
	write(t, filepath.Join(dir, "named", "a.png"), &data.LabelMap{W: w, H: h, Pix: bits})
	from := options{"labels": filepath.Join(dir, "labels")}
	for _, o := range []options{
		{"from": from, "segments": options{"method": "import", "options": options{"labels": filepath.Join(dir, "named")}}},
		{"from": from, "masks": filepath.Join(dir, "masks")},
		{"from": from, "sidecars": filepath.Join(dir, "run")},
		{"from": from, "sidecars": filepath.Join(dir, "run"), "variant": "score_aware"},
	} {
		if got := label(t, "sepl", o, blank("a", w, h)); !slices.Equal(got.Pix, want.Pix) {
			t.Errorf("%v: label %v, want %v", o, got.Pix, want.Pix)
		}
		m, err := newMethod("sepl", o)
		if err != nil {
			t.Fatal(err)
		}
		if in, err := m.(gen.Reader).Inputs(); err != nil || len(in) != 2 {
			t.Errorf("inputs %v, %v", in, err)
		}
		if _, err := m.Generate(t.Context(), blank("b", w, h)); err == nil {
			t.Error("no error for an image without masks")
		}
	}
}

func TestEnsemble(t *testing.T) {
	dir := t.TempDir()
	for k, pix := range [][]uint8{{1, 1, 1, 2, 255, 255}, {1, 1, 2, 255, 255, 0}, {1, 2, 0, 1, 255, 255}} {
		write(t, filepath.Join(dir, fmt.Sprint(k), "a.png"), &data.LabelMap{W: 6, H: 1, Pix: pix})
	}
	member := func(k int, weight float64) options {
		return options{"labels": filepath.Join(dir, fmt.Sprint(k)), "weight": weight}
	}
	for _, tt := range []struct {
		o    options
		want []uint8
	}{
		{options{"members": []any{member(0, 1), member(1, 1), member(2, 1)}}, []uint8{1, 1, 255, 255, 255, 0}},
		{options{"members": []any{member(0, 1), member(1, 1), member(2, 1)}, "agree": 0.0}, []uint8{1, 1, 0, 1, 255, 0}},
		{options{"members": []any{member(0, 3), member(1, 1), member(2, 1)}}, []uint8{1, 1, 1, 2, 255, 0}},
		{options{"members": []any{member(0, 1), member(1, 1), member(2, 1)}, "agree": 0.9}, []uint8{1, 255, 255, 255, 255, 0}},
	} {
		if got := label(t, "ensemble", tt.o, blank("a", 6, 1)); !slices.Equal(got.Pix, tt.want) {
			t.Errorf("%v: %v, want %v", tt.o, got.Pix, tt.want)
		}
	}
}

func TestOptionsAreStrict(t *testing.T) {
	dir := t.TempDir()
	from := options{"labels": dir}
	scores := options{"scores": dir}
	for _, tt := range []struct {
		method string
		o      options
		want   string
	}{
		{"crf", options{}, "[gen.options.from] allowed is exactly one of labels, scores and method"},
		{"crf", options{"from": from, "gausian_xy": 1.0}, "unknown key gausian_xy: allowed are from, preset, iterations, gaussian_xy"},
		{"crf", options{"from": options{"labels": dir, "bg": 1}}, "unknown key from.bg"},
		{"crf", options{"from": from, "unary": "scores"}, "only where [gen.options.from] has scores"},
		{"crf", options{"from": from, "confidence": 1.0}, "confidence = 1"},
		{"crf", options{"from": from, "confident": []any{0.3, 0.05}}, "with scores"},
		{"crf", options{"from": scores, "confident": []any{0.05, 0.3}}, "[high, low]"},
		{"crf", options{"from": scores, "alphas": []any{32.0, 4.0}}, "[low, high]"},
		{"crf", options{"from": from, "alphas": []any{4.0, 32.0}}, "with scores"},
		{"crf", options{"from": from, "preset": "x"}, `preset = "x"`},
		{"crf", options{"from": from, "image": "bgr"}, "rgb, kaz"},
		{"crf", options{"from": from, "bilateral_rgb": 0.0}, "bilateral_rgb = 0"},
		{"sepl", options{"from": from}, "exactly one of masks, sidecars and segments"},
		{"sepl", options{"from": from, "segments": options{"method": "sam"}}, "[gen.options.segments]"},
		{"sepl", options{"from": from, "masks": dir, "variant": "best"}, "max_iou_imp2"},
		{"sepl", options{"from": from, "masks": dir + "/x"}, "no such file"},
		{"random-walk", options{"from": from, "edges": dir, "features": dir}, "one of them"},
		{"random-walk", options{"from": from, "radius": 1}, "radius = 1"},
		{"random-walk", options{"from": from, "stride": 0}, "stride = 0"},
		{"random-walk", options{"from": from, "edges": dir + "/x"}, "no such file"},
		{"ensemble", options{"members": []any{from}}, "1 given"},
		{"ensemble", options{"members": []any{from, options{"labels": dir, "weight": -1.0}}}, "[gen.options.members.1] weight = -1"},
		{"ensemble", options{"members": []any{from, from}, "agree": 1.0}, "agree = 1"},
	} {
		if _, err := newMethod(tt.method, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v, want %q", tt.method, tt.o, err, tt.want)
		}
	}
	m, err := newMethod("random-walk", options{"from": options{"scores": "testdata/cams", "key": "cam"}, "edges": "testdata/edges", "stride": 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), blank("a", 37, 29)); err == nil || !strings.Contains(err.Error(), "see stride") {
		t.Errorf("wrong stride: %v", err)
	}
}

// seen are the backends that methods were made with.
var seen []compute.Backend

func init() {
	gen.Register("test-backend", gen.Spec{Weak: data.WeakKinds, NeedsBackend: true, New: func(env gen.Env) (gen.Method, error) {
		seen = append(seen, env.Backend)
		return nothing{}, nil
	}})
}

type nothing struct{}

func (nothing) Generate(context.Context, *data.Sample) ([]gen.Mask, error) { return nil, nil }

// TestInnerMethodsGetTheBackend: what refines hands on the backend of the run,
// and none of its methods opens another.
func TestInnerMethodsGetTheBackend(t *testing.T) {
	b := backendtest.One(t)
	inner := options{"method": "test-backend"}
	for name, o := range map[string]options{
		"sepl":        {"from": inner, "segments": inner},
		"crf":         {"from": inner},
		"random-walk": {"from": options{"scores": "testdata/cams"}},
		"ensemble":    {"members": []any{inner, inner}},
	} {
		g := configs.Gen{Method: name, Weak: "tags", Options: o}
		needs, err := gen.NeedsBackend(g)
		if err != nil || needs != (name != "random-walk") {
			t.Errorf("%s needs a backend: %v, %v", name, needs, err)
		}
		seen = nil
		if _, err := gen.New(gen.Env{Backend: b, Classes: voc, Weak: data.WeakTags, Gen: g}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := map[string]int{"sepl": 2, "crf": 1, "ensemble": 2}[name]; len(seen) != want {
			t.Errorf("%s made %d methods, want %d", name, len(seen), want)
		}
		for _, got := range seen {
			if got != b {
				t.Errorf("%s handed on backend %v", name, got)
			}
		}
	}
}
