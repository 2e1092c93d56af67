package cam

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/vector"
	"wsss/gen"
	"wsss/gen/gentest"
	"wsss/gen/source"
	"wsss/models/backend/backendtest"
	"wsss/models/camnet"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

func lpcamFixture(t *testing.T) weights.Source {
	t.Helper()
	f, err := formats.Open(fixtures + "lpcam.pth")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func flat(t *testing.T, f weights.Source, name string) ([]float32, []int) {
	t.Helper()
	v, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](v), v.Shape().Dimensions
}

func vectors(t *testing.T, f weights.Source, name string) (rows [][]float32) {
	t.Helper()
	if s, err := f.Shape(name); err != nil || s[0] == 0 {
		return nil
	}
	v, d := flat(t, f, name)
	for at := 0; at < len(v); at += d[1] {
		rows = append(rows, v[at:at+d[1]])
	}
	return rows
}

func worst(a, b []float32) (d float64) {
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

// TestKMeans: centres are those of kmeans_pytorch from the same start, with the
// tolerance of LPCAM and with a small one.
func TestKMeans(t *testing.T) {
	f := lpcamFixture(t)
	x := vectors(t, f, "kmeans.x")
	var start []int
	for _, v := range func() []float32 { v, _ := flat(t, f, "kmeans.start"); return v }() {
		start = append(start, int(v))
	}
	for name, tolerance := range map[string]float64{"kmeans.5": 5, "kmeans.0.0001": 1e-4} {
		want := vectors(t, f, name)
		for c, got := range kmeans(x, start, tolerance, rand.New(rand.NewPCG(1, 1))) {
			if d := worst(got, want[c]); d > 1e-5 {
				t.Errorf("%s: centre %d differs by %.1e", name, c, d)
			}
		}
	}
	// Two starts at one place: a cluster is left without members.
	for _, c := range kmeans(x, []int{0, 0, 1}, 1e-4, rand.New(rand.NewPCG(1, 1))) {
		if n := vector.Length(c); !(n > 0) {
			t.Errorf("a centre of length %v", n)
		}
	}
}

// TestLPCAMParity: features, and multi-scale maps from given prototypes, one
// class of them without context, within 1e-4 of PyTorch's.
func TestLPCAMParity(t *testing.T) {
	f := lpcamFixture(t)
	p := &camnet.Prototypes{}
	for _, c := range []string{"0", "1", "2"} {
		p.Parts, p.Context = append(p.Parts, vectors(t, f, "parts."+c)), append(p.Context, vectors(t, f, "context."+c))
	}
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			built, err := newMethod(t, spec, "lpcam", map[string]any{"classifier": fixtures + "res50_cam.pth", "bucket": 1, "max_shapes": 5})
			if err != nil {
				t.Fatal(err)
			}
			m := built.(*lpcam)
			features, err := m.mapper.Features(imageproc.FromImage(photo(t).Image))
			if err != nil {
				t.Fatal(err)
			}
			want, _ := flat(t, f, "features")
			if d := worst(features.Values, want); len(want) != len(features.Values) || d > 1e-4 {
				t.Errorf("features differ by %.1e", d)
			}
			m.mapper.SetPrototypes(p)
			m.exact, m.learnt = true, "given"
			scores, err := m.Scores(t.Context(), photo(t, 1, 2, 3))
			if err != nil {
				t.Fatal(err)
			}
			want, d := flat(t, f, "maps")
			for c, got := range scores.Maps {
				if diff := worst(got, want[c*d[1]*d[2]:(c+1)*d[1]*d[2]]); diff > 1e-4 {
					t.Errorf("class %d differs by %.1e", c+1, diff)
				}
			}
		})
	}
}

// paintedSplit is a dataset of a few photos.
func paintedSplit(n int) *gentest.Split {
	s := gentest.NewSplit(data.Classes{})
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range n {
		img := image.NewNRGBA(image.Rect(0, 0, 64, 48))
		base := [3]int{rng.IntN(200), rng.IntN(200), rng.IntN(200)}
		for y := range 48 {
			for x := range 64 {
				k := (x/16 + y/16) % 3
				img.SetNRGBA(x, y, color.NRGBA{uint8(base[k] + rng.IntN(40)), uint8(base[(k+1)%3]), uint8(base[(k+2)%3]), 255})
			}
		}
		id := string(rune('a' + i))
		s.Add(&data.Sample{ID: id, Image: img, Weak: data.WeakLabels{Tags: []int{1 + i%3, 1 + (i+1)%3}}})
	}
	s.Samples["b"].Weak.Tags = []int{}
	return s
}

// TestLearn: the same split gives the same bytes; another call reads them; other
// tags, images or options learn anew; methods around lpcam pass it on.
func TestLearn(t *testing.T) {
	ds := paintedSplit(4)
	options := func(more map[string]any) map[string]any {
		o := map[string]any{"classifier": fixtures + "res50_cam.pth", "scales": []any{1.0}, "flip": false, "clusters": 3, "memory": 16}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	looked := 0
	learn := func(dir, name string, o map[string]any, ids []string) gen.Method {
		t.Helper()
		m, err := newMethod(t, "go", name, o)
		if err != nil {
			t.Fatal(err)
		}
		looked = 0
		if err := gen.Learn(t.Context(), m, gen.Lesson{Dataset: ds, IDs: ids, Dir: dir, Progress: func(int, int) { looked++ }}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	read := func(dir string) []byte {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(dir, "lpcam-*.safetensors"))
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		raw, err := os.ReadFile(list[0])
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	one, two := t.TempDir(), t.TempDir()
	m := learn(one, "lpcam", options(nil), ds.Order)
	masks, err := m.Generate(t.Context(), ds.Samples["a"])
	if err != nil || len(masks) == 0 || looked != len(ds.Order) {
		t.Fatalf("%d masks after %d images, %v", len(masks), looked, err)
	}
	first := read(one)
	learn(two, "crf", map[string]any{"from": map[string]any{"method": "lpcam", "options": options(nil)}}, ds.Order)
	if !bytes.Equal(first, read(two)) {
		t.Error("the same split taught something else")
	}
	again := learn(one, "lpcam", options(map[string]any{"threshold": 0.5}), ds.Order)
	if looked != 0 {
		t.Error("what was learnt is learnt again")
	}
	same, err := again.(source.Scorer).Scores(t.Context(), ds.Samples["a"])
	if err != nil {
		t.Fatal(err)
	}
	before, err := m.(source.Scorer).Scores(t.Context(), ds.Samples["a"])
	if err != nil || !slices.Equal(same.Maps[0], before.Maps[0]) {
		t.Errorf("prototypes read differ from those made (%v)", err)
	}
	files, err := gen.InputFiles(again, "a")
	if err != nil || len(files) != 1 || !strings.HasPrefix(files[0], one) {
		t.Errorf("labels depend on %v, %v", files, err)
	}
	shared := filepath.Join(t.TempDir(), "shared.safetensors")
	for _, ids := range [][]string{ds.Order, ds.Order[:2]} {
		learn(t.TempDir(), "lpcam", options(map[string]any{"prototypes": shared}), ids)
	}
	if raw, err := os.ReadFile(shared); err != nil || looked != 0 || !bytes.Equal(raw, first) {
		t.Errorf("a file of one's own was not taken as it is: %d images looked at (%v)", looked, err)
	}
	if learn(one, "lpcam", options(nil), ds.Order[:3]); looked != 3 || bytes.Equal(first, read(one)) {
		t.Error("fewer images taught the same")
	}
	ds.Samples["a"].Weak.Tags = []int{3}
	if learn(one, "lpcam", options(nil), ds.Order[:3]); looked != 3 {
		t.Error("other tags taught nothing")
	}
}

func TestLPCAMRefuses(t *testing.T) {
	file := fixtures + "res50_cam.pth"
	foreign := filepath.Join(t.TempDir(), "foreign.safetensors")
	if err := os.WriteFile(foreign, append([]byte{2, 0, 0, 0, 0, 0, 0, 0}, "{}"...), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]map[string]any{
		"clusters = 0":          {"classifier": file, "clusters": 0},
		"select = 1":            {"classifier": file, "select": 1.0},
		"certain = 0":           {"classifier": file, "certain": 0.0},
		"context_min = 0.95":    {"classifier": file, "context_min": 0.95},
		"memory = 1:":           {"classifier": file, "memory": 1},
		"classifier is missing": {"clusters": 3},
		"threshold = 2":         {"classifier": file, "threshold": 2.0},
	} {
		if _, err := newMethod(t, "go", "lpcam", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", o, err, want)
		}
	}
	m, err := newMethod(t, "go", "lpcam", map[string]any{"classifier": file, "prototypes": foreign})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), photo(t, 1)); err == nil || !strings.Contains(err.Error(), "learns") {
		t.Errorf("a method that has learnt nothing: %v", err)
	}
	if err := gen.Learn(t.Context(), m, gen.Lesson{Dataset: paintedSplit(2), IDs: []string{"a"}}); err == nil || !strings.Contains(err.Error(), "not written over") {
		t.Errorf("another tool's file: %v", err)
	}
}
