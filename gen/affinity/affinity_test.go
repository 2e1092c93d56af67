package affinity

import (
	"math"
	"slices"
	"strings"
	"testing"

	"wsss/data/datatest"
)

func TestWalkEqualsDenseMatrix(t *testing.T) {
	var f struct {
		H, W, Radius, Squarings int
		Beta                    float64
		Edges, Features         []float32
		Scores                  [][]float32
		ByEdges                 [][]float32 `json:"by_edges"`
		ByFeatures              [][]float32 `json:"by_features"`
	}
	datatest.JSON(t, "testdata/walk.json", &f)
	o := Options{f.Radius, f.Beta, f.Squarings}
	edges, err := FromEdges(f.Edges, f.W, f.H, o)
	if err != nil {
		t.Fatal(err)
	}
	features, err := FromFeatures(f.Features, 4, f.W, f.H, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		g    *Graph
		want [][]float32
	}{{"edges", edges, f.ByEdges}, {"features", features, f.ByFeatures}} {
		all := tt.g.WalkAll(f.Scores)
		for k := range f.Scores {
			got := tt.g.Walk(f.Scores[k])
			if !slices.Equal(got, all[k]) {
				t.Errorf("%s: map %d walks otherwise among others", tt.name, k)
			}
			for i := range got {
				if d := math.Abs(float64(got[i] - tt.want[k][i])); d > 1e-5 {
					t.Fatalf("%s: map %d, pixel %d is %v, want %v", tt.name, k, i, got[i], tt.want[k][i])
				}
			}
		}
	}
}

// A closed boundary keeps scores in.
func TestBoundaryStopsTheWalk(t *testing.T) {
	const w, h = 20, 12
	edges, scores := make([]float32, w*h), make([]float32, w*h)
	for y := range h {
		edges[y*w+10] = 1
	}
	scores[5*w+3] = 1
	g, err := FromEdges(edges, w, h, IRN())
	if err != nil {
		t.Fatal(err)
	}
	got := g.Walk(scores)
	for i, v := range got {
		if inside := i%w < 10; (v > 0) != inside {
			t.Fatalf("pixel (%d,%d) has %v", i%w, i/w, v)
		}
	}
	if d := math.Abs(float64(got[0]-got[9*w+9])) / float64(got[0]); d > 0.7 {
		t.Errorf("after 256 steps, corners differ by %.2f", d)
	}
}

func TestErrors(t *testing.T) {
	for want, err := range map[string]error{
		"radius = 1":       second(FromEdges(make([]float32, 4), 2, 2, Options{1, 10, 8})),
		"beta = 0":         second(FromEdges(make([]float32, 4), 2, 2, Options{5, 0, 8})),
		"squarings = 20":   second(FromEdges(make([]float32, 4), 2, 2, Options{5, 10, 20})),
		"5 edge strengths": second(FromEdges(make([]float32, 5), 2, 2, IRN())),
		"pixel (1,0)":      second(FromEdges([]float32{0, 2, 0, 0}, 2, 2, IRN())),
		"5 features":       second(FromFeatures(make([]float32, 5), 1, 2, 2, IRN())),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	// A raster smaller than the radius.
	if g, err := FromEdges(make([]float32, 2), 2, 1, IRN()); err != nil || g.Walk([]float32{1, 0})[1] != 0.5 {
		t.Errorf("two pixels: %v", err)
	}
}

func second(_ *Graph, err error) error { return err }

// Both forms of a step give the same bits.
func TestStep(t *testing.T) {
	shifts := []int{0, 3, -3, 17, -17}
	x, weights := make([]float32, 17+block+17), make([]float32, len(shifts)*block)
	for i := range x {
		x[i] = float32(i*37%101) / 7
	}
	for i := range weights {
		weights[i] = float32(i*53%97) / 11
	}
	var a, b [block]float32
	step(&a, x, 17, shifts, weights)
	stepGeneric(&b, x, 17, shifts, weights)
	if a != b {
		t.Errorf("%v, %v", a, b)
	}
}

// BenchmarkWalkVOC is a photo of 500×375 with two classes at IRN's stride;
// BenchmarkWalkPSA one at AffinityNet's, with its 448 channels.
func BenchmarkWalkVOC(b *testing.B) {
	const w, h = 125, 94 // 500×375 at stride 4
	edges, scores := make([]float32, w*h), make([]float32, w*h)
	for i := range edges {
		edges[i] = float32(i%7) / 14
		scores[i] = float32(i%5) / 5
	}
	for b.Loop() {
		g, err := FromEdges(edges, w, h, IRN())
		if err != nil {
			b.Fatal(err)
		}
		g.WalkAll([][]float32{scores, scores})
	}
}

func BenchmarkWalkPSA(b *testing.B) {
	const w, h, channels = 63, 47, 448 // 500×375 at stride 8
	features, scores := make([]float32, channels*w*h), make([]float32, w*h)
	for i := range features {
		features[i] = float32(i%13) / 14
	}
	for b.Loop() {
		g, err := FromFeatures(features, channels, w, h, PSA())
		if err != nil {
			b.Fatal(err)
		}
		g.WalkAll([][]float32{scores, scores, scores})
	}
}
