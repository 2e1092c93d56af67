package cam

import (
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	_ "wsss/gen/refine"
	"wsss/gen/source"
	"wsss/models/backend/backendtest"
	"wsss/models/weights/formats"
)

const fixtures = "../../models/camnet/testdata/"

var classes = data.Classes{Names: []string{"background", "a", "b", "c"}}

func newMethod(t *testing.T, spec, name string, options map[string]any) (gen.Method, error) {
	t.Helper()
	b := backendtest.Open(t, spec)
	return gen.New(gen.Env{Backend: b, Classes: classes, Weak: data.WeakTags, Gen: configs.Gen{Method: name, Weak: "tags", Options: options}})
}

func photo(t *testing.T, tags ...int) *data.Sample {
	t.Helper()
	img, err := data.ReadImage(fixtures + "photo.png")
	if err != nil {
		t.Fatal(err)
	}
	return &data.Sample{ID: "photo", Image: img, Weak: data.WeakLabels{Tags: tags}}
}

func reference(t *testing.T, name string) (values []float32, w, h int) {
	t.Helper()
	f, err := formats.Open(fixtures + "parity.pth")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	d := v.Shape().Dimensions
	return tensors.MustCopyFlatData[float32](v), d[2], d[1]
}

// TestParity: multi-scale maps with flips, at full size and at a quarter,
// within 1e-4 of PyTorch's by docs/sources.md §11.1; saved files read back.
func TestParity(t *testing.T) {
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			dir := t.TempDir()
			m, err := newMethod(t, spec, "cam", map[string]any{"classifier": fixtures + "res50_cam.pth", "save": dir, "bucket": 1, "max_shapes": 3})
			if err != nil {
				t.Fatal(err)
			}
			scores, err := m.(source.Scorer).Scores(t.Context(), photo(t, 3, 1, 3))
			if err != nil {
				t.Fatal(err)
			}
			for key, name := range map[string]string{"": "high_res", "cam": "cam"} {
				got := scores
				if key != "" {
					if got, err = source.ReadScores(filepath.Join(dir, "photo.npy"), key, 1, 4); err != nil {
						t.Fatal(err)
					}
				}
				want, w, h := reference(t, name)
				if got.W != w || got.H != h || !slices.Equal(got.Classes, []int{1, 3}) {
					t.Fatalf("%s: %d×%d of classes %v, want %d×%d", name, got.W, got.H, got.Classes, w, h)
				}
				worst := 0.0
				for i, c := range got.Classes {
					for k, v := range got.Maps[i] {
						worst = max(worst, math.Abs(float64(v-want[(c-1)*w*h+k])))
					}
				}
				if worst > 1e-4 {
					t.Errorf("%s differs by %.1e", name, worst)
				}
				t.Logf("%s: %.1e", name, worst)
			}
			saved, err := source.ReadScores(filepath.Join(dir, "photo.npy"), "", 1, 4)
			if err != nil || !slices.Equal(saved.Maps[1], scores.Maps[1]) {
				t.Errorf("saved maps differ (%v)", err)
			}
		})
	}
}

// TestMethod: labels are the arg-max against the background, of the image's
// tags alone; other methods take the scores.
func TestMethod(t *testing.T) {
	options := map[string]any{"classifier": fixtures + "res50_cam.pth", "scales": []any{1.0}, "flip": false, "threshold": 0.4}
	m, err := newMethod(t, "go", "cam", options)
	if err != nil {
		t.Fatal(err)
	}
	s := photo(t, 2)
	scores, err := m.(source.Scorer).Scores(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	masks, err := m.Generate(t.Context(), s)
	if err != nil || len(masks) != 1 || masks[0].Class != 2 {
		t.Fatalf("masks %v, %v", masks, err)
	}
	want := 0
	for _, v := range scores.Maps[0] {
		if v > 0.4 {
			want++
		}
	}
	if got := masks[0].Bits.Area(); got != want || want == 0 {
		t.Errorf("%d pixels, want %d", got, want)
	}
	s.Weak.Tags = []int{}
	if masks, err := m.Generate(t.Context(), s); err != nil || len(masks) != 0 {
		t.Errorf("an image of nothing: %v, %v", masks, err)
	}
	from := map[string]any{"method": "cam", "options": options}
	for name, more := range map[string]map[string]any{
		"crf": {"from": from}, "random-walk": {"from": from},
		// IRN's rule for labels to train on (docs/sources.md §11.2).
		"crf ": {"from": from, "preset": "irn", "confident": []any{0.5, 0.2}},
	} {
		r, err := newMethod(t, "go", strings.TrimSpace(name), more)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if masks, err := r.Generate(t.Context(), photo(t, 2)); err != nil || len(masks) == 0 {
			t.Errorf("%s: %d masks, %v", name, len(masks), err)
		}
	}
}

func TestRefuses(t *testing.T) {
	file := fixtures + "res50_cam.pth"
	for want, options := range map[string]map[string]any{
		"classifier is missing":  {},
		"no-such-file":           {"classifier": "no-such-file"},
		"gen.options.scales":     {"classifier": file, "scales": []any{0.0}},
		"gen.options.threshold":  {"classifier": file, "threshold": 2.0},
		"gen.options.max_side":   {"classifier": file, "max_side": 1},
		"gen.options.max_shapes": {"classifier": file, "max_shapes": 0},
	} {
		if _, err := newMethod(t, "go", "cam", options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", options, err, want)
		}
	}
	was := classes
	defer func() { classes = was }()
	classes.Names = classes.Names[:3]
	if _, err := newMethod(t, "go", "cam", map[string]any{"classifier": file}); err == nil || !strings.Contains(err.Error(), "knows 3 classes") {
		t.Errorf("another number of classes: %v", err)
	}
	classes = was
	m, err := newMethod(t, "go", "cam", map[string]any{"classifier": file})
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]*data.Sample{
		"no tags":   {Image: image.NewNRGBA(image.Rect(0, 0, 4, 4))},
		"tags [4]":  {Image: image.NewNRGBA(image.Rect(0, 0, 4, 4)), Weak: data.WeakLabels{Tags: []int{4}}},
		"no pixels": {Weak: data.WeakLabels{Tags: []int{1}}},
	} {
		if _, err := m.Generate(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
