package gen

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"wsss/configs"
	"wsss/data"
)

func TestParseAxis(t *testing.T) {
	for text, want := range map[string][]string{
		"gen.options.t=0.1,0.2":        {"0.1", "0.2"},
		"gen.options.t=0.1:0.4:0.1":    {"0.1", "0.2", "0.3", "0.4"},
		"gen.options.t=0:1:0.5":        {"0.0", "0.5", "1.0"},
		"gen.fuse.min_area=0:20:10":    {"0", "10", "20"},
		"gen.fuse.rule= score , first": {"score", "first"},
	} {
		a, err := ParseAxis(text)
		if err != nil || !slices.Equal(a.Values, want) || strings.Contains(text, "t=") != (a.Key == "gen.options.t") {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
	for _, text := range []string{"gen.x", "train.optimizer.lr=1", "gen.x=", "gen.x=1,,2", "gen.x=1:0:1", "gen.x=0:1:0", "gen.x=0:1:1e-9", "gen.x=a:b:c", "gen.x=0:1:NaN"} {
		if a, err := ParseAxis(text); err == nil {
			t.Errorf("%s: %+v", text, a)
		}
	}
}

// thresholds is a method whose mask grows as its option falls.
type thresholds struct {
	level float64
	calls *atomic.Int32
}

func (m thresholds) Generate(_ context.Context, s *data.Sample) ([]Mask, error) {
	m.calls.Add(1)
	bits := make([]uint8, 20*12)
	for i := range bits {
		if float64(i) >= m.level*float64(len(bits)) {
			bits[i] = 1
		}
	}
	return []Mask{{Class: 1, Score: 0.5, Bits: data.EncodeRLE(bits, 20, 12)}}, nil
}

var sweepCalls atomic.Int32

func init() {
	Register("test-thresholds", Spec{Weak: []data.WeakKind{data.WeakNone}, New: func(env Env) (Method, error) {
		var o struct {
			Level float64 `toml:"level"`
		}
		err := configs.Decode("gen.options", env.Gen.Options, &o)
		return thresholds{o.Level, &sweepCalls}, err
	}})
}

func TestSweep(t *testing.T) {
	cfg := configs.Default()
	cfg.Gen.Method, cfg.Gen.Weak = "test-thresholds", "none"
	o := SweepOptions{
		Config: cfg, Axes: []Axis{{"gen.options.level", []string{"0.25", "0.5", "0.75"}}, {"gen.fuse.ignore_band", []string{"0", "2"}}},
		Dataset: &fakeSet{n: 10}, Split: "train", Images: 3, OutDir: t.TempDir(),
		// The best label is half object, and decided.
		Score: func(_ context.Context, ds data.Dataset, labels string) (float64, error) {
			ids, err := ds.IDs("train")
			if err != nil || !slices.Equal(ids, []string{"im000", "im003", "im006"}) {
				t.Errorf("images %v, %v", ids, err)
			}
			label, err := data.ReadLabelMap(filepath.Join(labels, "im003.png"))
			if err != nil {
				return 0, err
			}
			score := 0.0
			for i, v := range label.Pix {
				if (v == 1) == (i >= len(label.Pix)/2) && v != data.Ignore {
					score++
				}
			}
			return score / float64(len(label.Pix)), nil
		},
	}
	var last [4]int
	o.Progress = func(point, points, done, total int) { last = [4]int{point, points, done, total} }
	sweepCalls.Store(0)
	points, err := Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 6 || points[0].Score != 1 || !slices.Equal(points[0].Set, []string{"gen.options.level=0.5", "gen.fuse.ignore_band=0"}) {
		t.Errorf("points %+v", points)
	}
	if !slices.IsSortedFunc(points, func(a, b SweepPoint) int {
		if a.Score < b.Score {
			return 1
		}
		return 0
	}) {
		t.Error("points are not in order")
	}
	if n := sweepCalls.Load(); n != 9 {
		t.Errorf("%d calls of the method, want 3 levels × 3 images: fusion needs no new masks", n)
	}
	if last != [4]int{5, 6, 3, 3} {
		t.Errorf("progress ended with %v", last)
	}
	again, err := Sweep(t.Context(), o)
	if err != nil || sweepCalls.Load() != 9 || again[0].Dir != points[0].Dir {
		t.Errorf("the second sweep made masks: %d calls, %v", sweepCalls.Load(), err)
	}
	o.Score = nil
	if points, err = Sweep(t.Context(), o); err != nil || points[0].Score <= 0 {
		t.Errorf("by quality: %+v, %v", points, err)
	}
}

func TestSweepErrors(t *testing.T) {
	cfg := configs.Default()
	cfg.Gen.Method, cfg.Gen.Weak = "test-thresholds", "none"
	for want, axes := range map[string][]Axis{
		"no key":                       nil,
		"given twice":                  {{"gen.workers", []string{"1"}}, {"gen.workers", []string{"2"}}},
		"at most":                      {{"gen.workers", nil}},
		"gen.fuse.nms=7: gen.fuse.nms": {{"gen.fuse.nms", []string{"7"}}},
		"unknown key levle":            {{"gen.options.levle", []string{"1"}}},
		"gen.fuse.rul=x: unknown key":  {{"gen.fuse.rul", []string{"x"}}},
	} {
		_, err := Sweep(t.Context(), SweepOptions{Config: cfg, Axes: axes, Dataset: &fakeSet{n: 2}, Split: "train", OutDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
