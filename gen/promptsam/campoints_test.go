package promptsam

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
)

func TestLocalMaxima(t *testing.T) {
	const w = 6
	m := []float32{
		.9, .1, .1, .1, .7, .7,
		.1, .1, .1, .1, .7, .7,
		.1, .1, .2, .1, .1, .1,
		.8, .1, .1, .1, .1, .4,
	}
	for _, tt := range []struct {
		threshold float32
		radius    int
		want      []image.Point
	}{
		{0.3, 1, []image.Point{{0, 0}, {0, 3}, {4, 0}, {5, 3}}}, // a plateau gives its first pixel
		{0.5, 1, []image.Point{{0, 0}, {0, 3}, {4, 0}}},
		{0.15, 2, []image.Point{{0, 0}, {0, 3}, {4, 0}}}, // (5,3) and (2,2) see (5,1) and more
		{0.3, 3, []image.Point{{0, 0}, {4, 0}}},
		{0.3, 9, []image.Point{{0, 0}}},
		{0.95, 1, nil},
	} {
		if got := LocalMaxima(m, w, tt.threshold, tt.radius); !slices.Equal(got, tt.want) {
			t.Errorf("threshold %v, radius %d: %v, want %v", tt.threshold, tt.radius, got, tt.want)
		}
	}
	if got := ConfidentPixels(m, w, 0.7); !slices.Equal(got, []image.Point{{0, 0}, {4, 0}, {5, 0}, {4, 1}, {5, 1}, {0, 3}}) {
		t.Errorf("confident pixels %v", got)
	}
}

func TestSpots(t *testing.T) {
	// Two classes on a line of eight pixels; the fourth belongs to the higher.
	s := &source.Scores{W: 8, H: 1, Classes: []int{2, 5}, Maps: [][]float32{
		{.6, .8, .9, .7, .1, .1, 0, 0},
		{0, 0, .1, .8, .7, .6, .9, .6},
	}}
	for _, tt := range []struct {
		name   string
		change func(o *camOptions)
		want   string
	}{
		{"maxima", func(*camOptions) {}, "2:2 6:5 3:5"},
		{"wide window", func(o *camOptions) { o.Radius = 3 }, "2:2 6:5"},
		{"all", func(o *camOptions) { o.Points = pointsAll }, "0:2 1:2 2:2 3:5 4:5 5:5 6:5 7:5"},
		{"evenly thinned", func(o *camOptions) { o.Points, o.MaxPoints = pointsAll, 2 }, "0:2 1:2 3:5 5:5"},
		{"no bound", func(o *camOptions) { o.MaxPoints = 0 }, "2:2 6:5 3:5"},
		{"confidence", func(o *camOptions) { o.Points, o.Confidence = pointsAll, 0.8 }, "1:2 2:2 3:5 6:5"},
	} {
		o, err := decodeCAM(nil)
		if err != nil {
			t.Fatal(err)
		}
		o.Radius = 1
		tt.change(&o)
		var got []string
		for _, p := range o.spots(s) {
			got = append(got, fmt.Sprintf("%d:%d", p.X, p.Class))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

// TestCAMSAM: SAM from the points of scores that are high in the middle of each
// region of the truth; the bound is a little below what was measured.
func TestCAMSAM(t *testing.T) {
	ds := openScenes(t, 4)
	dir := t.TempDir()
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		s, err := ds.Load(id, data.WantTruth|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		if err := source.Save(dir, id, depth(s.Truth, s.Weak.Tags), nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, options := range map[string]map[string]any{
		"maxima, each a mask": {"group": "point", "negatives": false},
		"all, iterative":      {"points": "all", "iterative": true, "order": "far", "max_points": 6},
	} {
		options["sam"], options["from"] = "tiny-sam", map[string]any{"scores": dir}
		iou := meanIoU(t, ds, "cam-sam", data.WeakTags, options)
		t.Logf("%s: mIoU %.3f", name, iou)
		if iou < 0.5 {
			t.Errorf("%s: mIoU %.3f, want at least 0.5", name, iou)
		}
	}
	for want, options := range map[string]map[string]any{
		"gen.options.points":     {"points": "some"},
		"gen.options.confidence": {"confidence": 0},
		"gen.options.radius":     {"radius": 0},
		"gen.options.max_points": {"max_points": -1},
		"exactly one of":         {"from": map[string]any{}},
		"no class scores":        {"from": map[string]any{"labels": dir}},
	} {
		if options["from"] == nil {
			options["from"] = map[string]any{"scores": dir}
		}
		if _, err := gen.New(env(t, ds, "cam-sam", data.WeakTags, options)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", options, err, want)
		}
	}
}

// depth gives each class the distance of its pixels from other pixels, 1 at
// most, within a window.
func depth(truth *data.LabelMap, classes []int) *source.Scores {
	const reach = 6
	out := &source.Scores{W: truth.W, H: truth.H, Classes: slices.Clone(classes)}
	slices.Sort(out.Classes)
	for _, c := range out.Classes {
		m := make([]float32, len(truth.Pix))
		for i, v := range truth.Pix {
			if int(v) != c {
				continue
			}
			near := float64(reach)
			for dy := -reach; dy <= reach; dy++ {
				for dx := -reach; dx <= reach; dx++ {
					x, y := i%truth.W+dx, i/truth.W+dy
					if x < 0 || y < 0 || x >= truth.W || y >= truth.H || int(truth.Pix[y*truth.W+x]) != c {
						near = min(near, math.Hypot(float64(dx), float64(dy)))
					}
				}
			}
			m[i] = float32(near / reach)
		}
		out.Maps = append(out.Maps, m)
	}
	return out
}
