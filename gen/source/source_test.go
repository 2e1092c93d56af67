package source

import (
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/weak/npy"
	"wsss/gen"
)

func array(t *testing.T, name string) *npy.Array {
	t.Helper()
	a, err := npy.Read(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// voc is a class table of the size of VOC's.
var voc = data.Classes{Names: make([]string, 21)}

func sample(id string, w, h int, tags ...int) *data.Sample {
	return &data.Sample{ID: id, Image: image.NewNRGBA(image.Rect(0, 0, w, h)), Weak: data.WeakLabels{Tags: tags}}
}

func TestReadScoresOfOtherTools(t *testing.T) {
	want := array(t, "maps.npy").Float32()
	for _, tt := range []struct {
		file, key string
		w, h      int
		classes   []int
	}{
		{"irn.npy", "", 8, 6, []int{4, 15}},
		{"irn.npy", "cam", 4, 3, []int{4, 15}},
		{"clipes.npy", "", 8, 6, []int{4, 15}},
		{"psa.npy", "", 8, 6, []int{4, 15}},
		{"foreground.npy", "", 8, 6, nil},
		{"all.npy", "", 8, 6, nil},
		{"none.npy", "", 0, 0, []int{}},
	} {
		t.Run(tt.file+tt.key, func(t *testing.T) {
			s, err := ReadScores(filepath.Join("testdata", tt.file), tt.key, 1, 21)
			if err != nil {
				t.Fatal(err)
			}
			if tt.classes == nil { // all: the background is there, or is not
				if len(s.Classes) != 20 && s.Classes[0] != 0 {
					t.Fatalf("classes %v", s.Classes)
				}
				s.keep(func(c int) bool { return c == 4 || c == 15 })
				tt.classes = []int{4, 15}
			}
			if !slices.Equal(s.Classes, tt.classes) || s.W != tt.w || s.H != tt.h {
				t.Fatalf("classes %v, %d×%d", s.Classes, s.W, s.H)
			}
			for k, m := range s.Maps {
				for i, v := range m {
					step := 8 / tt.w
					if w := want[k*48+i/tt.w*step*8+i%tt.w*step]; v != w {
						t.Fatalf("class %d, value %d is %v, want %v", k, i, v, w)
					}
				}
			}
		})
	}
}

func TestReadScoresRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"invalid-nan.npy":   "pixel (0,0)",
		"invalid-shape.npy": "allowed is [class, height, width]",
		"invalid-class.npy": "label values 0..20",
		"invalid-twice.npy": "class 3 occurs twice",
		"invalid-key.npy":   "has none of [high_res attn_highres cam]",
	} {
		_, err := ReadScores(filepath.Join("testdata", file), "", 1, 21)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestResizeEqualsPyTorch(t *testing.T) {
	s, err := ReadScores("testdata/irn.npy", "", 1, 21)
	if err != nil {
		t.Fatal(err)
	}
	want := array(t, "resized.npy").Float32()
	got := slices.Concat(s.Resize(11, 13).Maps...)
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); d > 1e-6 {
			t.Fatalf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func open(t *testing.T, weak data.WeakKind, options map[string]any) (gen.Method, error) {
	t.Helper()
	return gen.New(gen.Env{Classes: voc, Weak: weak, Gen: configs.Gen{Method: "import", Options: options}})
}

// labelOf runs a method and fuses what it makes.
func labelOf(t *testing.T, m gen.Method, s *data.Sample) *data.LabelMap {
	t.Helper()
	masks, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gen.NewFuser(configs.Fuse{Rule: "score"}, data.Classes{})
	if err != nil {
		t.Fatal(err)
	}
	label, err := f.Fuse(s.Image.Rect.Size(), masks)
	if err != nil {
		t.Fatal(err)
	}
	return label
}

func bytesOf(t *testing.T, name string) []uint8 {
	t.Helper()
	v, err := array(t, name).Int64()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

func TestImportScores(t *testing.T) {
	constant, power := bytesOf(t, "label_constant.npy"), bytesOf(t, "label_power.npy")
	only4 := slices.Clone(constant)
	first := array(t, "maps.npy").Float32()
	for i := range only4 {
		only4[i] = 0
		if first[i] > 0.5 {
			only4[i] = 4
		}
	}
	for _, tt := range []struct {
		name    string
		id      string
		options map[string]any
		want    []uint8
	}{
		{"IRN", "irn", map[string]any{"threshold": 0.5}, constant},
		{"CLIP-ES", "clipes", map[string]any{"background": "power", "alpha": 2.0}, power},
		{"PSA", "psa", map[string]any{"threshold": 0.5}, constant},
		{"background in the file", "all", map[string]any{}, constant},
		{"tags", "irn", map[string]any{"threshold": 0.5, "only_tags": true}, only4},
		{"name", "x", map[string]any{"threshold": 0.5, "name": "irn.npy{id}"}, nil},
		{"missing", "x", map[string]any{"missing": "background"}, make([]uint8, 48)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options["scores"] = "testdata"
			m, err := open(t, data.WeakTags, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				if _, err := m.Generate(t.Context(), sample(tt.id, 8, 6)); err == nil || !strings.Contains(err.Error(), "irn.npyx") {
					t.Fatalf("error %v", err)
				}
				return
			}
			if got := labelOf(t, m, sample(tt.id, 8, 6, 4)); !slices.Equal(got.Pix, tt.want) {
				t.Errorf("label\n%v, want\n%v", got.Pix, tt.want)
			}
		})
	}
}

func TestImportLabels(t *testing.T) {
	dir := t.TempDir()
	label := &data.LabelMap{W: 3, H: 2, Pix: []uint8{0, 4, 255, 7, 7, 0}}
	write := func(name string, m *data.LabelMap) {
		if err := data.WriteLabelMap(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
	}
	write("a.png", label)
	write("pre_b.png", label)
	write("range.png", &data.LabelMap{W: 3, H: 2, Pix: []uint8{0, 0, 0, 0, 30, 0}})
	for _, tt := range []struct {
		name    string
		id      string
		options map[string]any
		want    []uint8
		err     string
	}{
		{"as they are", "a", nil, label.Pix, ""},
		{"void to background", "a", map[string]any{"void": "background"}, []uint8{0, 4, 0, 7, 7, 0}, ""},
		{"tags", "a", map[string]any{"only_tags": true}, []uint8{0, 0, 255, 7, 7, 0}, ""},
		{"name", "b", map[string]any{"name": "pre_{id}.png"}, label.Pix, ""},
		{"missing void", "none", map[string]any{"missing": "void"}, []uint8{255, 255, 255, 255, 255, 255}, ""},
		{"missing", "none", nil, nil, "none.png"},
		{"out of range", "range", nil, nil, "pixel (1,1) has value 30"},
		{"leaves the folder", "../a", nil, nil, "leaves its folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := map[string]any{"labels": dir}
			for k, v := range tt.options {
				options[k] = v
			}
			m, err := open(t, data.WeakTags, options)
			if err != nil {
				t.Fatal(err)
			}
			if tt.err != "" {
				if _, err := m.Generate(t.Context(), sample(tt.id, 3, 2)); err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if got := labelOf(t, m, sample(tt.id, 3, 2, 7)); !slices.Equal(got.Pix, tt.want) {
				t.Errorf("label %v, want %v", got.Pix, tt.want)
			}
		})
	}
	m, err := open(t, data.WeakNone, map[string]any{"labels": dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), sample("a", 9, 9)); err == nil || !strings.Contains(err.Error(), "3×2 pixels, the image 9×9") {
		t.Errorf("size: %v", err)
	}
	before, err := m.(gen.Reader).Inputs()
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "pre_b.png"))
	if after, _ := m.(gen.Reader).Inputs(); after[dir] == before[dir] || !strings.HasPrefix(after[dir], "2 files") {
		t.Errorf("inputs %v, then %v", before, after)
	}
}

func TestOptionsAreStrict(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		options map[string]any
		want    string
	}{
		"none":      {map[string]any{}, "exactly one of labels, scores and method"},
		"two":       {map[string]any{"labels": dir, "scores": dir}, "exactly one"},
		"unknown":   {map[string]any{"label": dir}, "unknown key label"},
		"folder":    {map[string]any{"labels": dir + "/x"}, "no such file"},
		"file name": {map[string]any{"labels": dir, "name": "a.png"}, "{id}"},
		"missing":   {map[string]any{"labels": dir, "missing": "skip"}, "allowed are error, background, void"},
		"tags":      {map[string]any{"labels": dir, "only_tags": true}, "gen.weak"},
		"alpha":     {map[string]any{"scores": dir, "alpha": -1.0}, "alpha = -1"},
		"method":    {map[string]any{"method": "magic"}, `"magic" is unknown`},
		"options":   {map[string]any{"labels": dir, "options": map[string]any{"x": 1}}, "only with method"},
	} {
		if _, err := open(t, data.WeakNone, tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzScores(f *testing.F) {
	for _, name := range []string{"irn.npy", "clipes.npy", "psa.npy", "none.npy", "invalid-shape.npy"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := npy.Parse(raw)
		if err != nil {
			return
		}
		for _, key := range []string{"", "cam"} {
			s, err := parseScores(v, key, 1, 21)
			if err != nil {
				continue
			}
			for i, m := range s.Maps {
				if len(m) != s.W*s.H || s.Classes[i] < 0 || s.Classes[i] > 20 {
					t.Fatalf("class %d: %d values of %d×%d", s.Classes[i], len(m), s.W, s.H)
				}
			}
		}
	})
}
