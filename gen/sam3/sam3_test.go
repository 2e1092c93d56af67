package sam3

import (
	"image"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/backend/backendtest"
)

// table are options with the small SAM 3's files.
func table(t *testing.T, more map[string]any) map[string]any {
	t.Helper()
	merges := filepath.Join(t.TempDir(), "merges.txt")
	datatest.Write(t, merges, "#version: 0.2\n")
	const dir = "../../models/foundation/sam3/testdata/"
	o := map[string]any{"vision": dir + "vision.onnx", "text": dir + "text.onnx", "decoder": dir + "decoder.onnx", "merges": merges,
		"accept_licence": licence, "confidence": 0.15, "threshold": 0.3}
	for k, v := range more {
		o[k] = v
	}
	return o
}

func photo() *data.Sample {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return &data.Sample{ID: "a", Image: img}
}

func open(t *testing.T, weak data.WeakKind, more map[string]any) (gen.Method, error) {
	t.Helper()
	return gen.New(gen.Env{Backend: backendtest.Open(t, "go"), Classes: data.Classes{Names: []string{"background", "cat", "dog"}}, Weak: weak,
		Gen: configs.Gen{Method: "sam3", Weak: string(weak), Options: table(t, more)}})
}

// TestLabels: the classes asked for are those of the tags, of the boxes, or all; maps
// lie in 0..1, and labels are their arg-max above the threshold.
func TestLabels(t *testing.T) {
	for _, tt := range []struct {
		weak data.WeakKind
		more map[string]any
		set  func(s *data.Sample)
		want []int
	}{
		{data.WeakTags, nil, func(s *data.Sample) { s.Weak.Tags = []int{2} }, []int{2}},
		{data.WeakTags, nil, func(s *data.Sample) { s.Weak.Tags = []int{} }, nil},
		{data.WeakNone, map[string]any{"words": map[string]any{"cat": []string{"kit", "cat"}}}, func(*data.Sample) {}, []int{1, 2}},
		{data.WeakBoxes, map[string]any{"negatives": true}, func(s *data.Sample) {
			s.Weak.Boxes = []data.Box{{X0: 2, Y0: 3, X1: 20, Y1: 20, Class: 1}, {X0: 22, Y0: 3, X1: 30, Y1: 20, Class: 1, Crowd: true}}
		}, []int{1}},
		{data.WeakBoxes, map[string]any{"named": false}, func(s *data.Sample) { s.Weak.Boxes = []data.Box{{X0: 2, Y0: 3, X1: 20, Y1: 20, Class: 2}} }, []int{2}},
	} {
		m, err := open(t, tt.weak, tt.more)
		if err != nil {
			t.Fatal(err)
		}
		s := photo()
		tt.set(s)
		scores, err := m.(source.Scorer).Scores(t.Context(), s)
		if err != nil || len(scores.Classes) != len(tt.want) {
			t.Fatalf("%s: %v, %v", tt.weak, scores, err)
		}
		above := 0
		for i, class := range scores.Classes {
			if class != tt.want[i] || len(scores.Maps[i]) != 40*30 {
				t.Errorf("%s: class %d, %d pixels", tt.weak, class, len(scores.Maps[i]))
			}
			for _, v := range scores.Maps[i] {
				if !(v >= 0 && v <= 1) {
					t.Fatalf("%s: score %v", tt.weak, v)
				}
			}
		}
		for i := range 40 * 30 {
			for _, map1 := range scores.Maps {
				if map1[i] > 0.3 {
					above++
					break
				}
			}
		}
		masks, err := m.Generate(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		area := 0
		for _, mask := range masks {
			area += mask.Bits.Area()
		}
		if area != above {
			t.Errorf("%s: masks of %d pixels, %d are above the threshold", tt.weak, area, above)
		}
	}
}

// TestRefuses: the licence comes first, and each mistake is named by its key.
func TestRefuses(t *testing.T) {
	for want, more := range map[string]map[string]any{
		`accept_licence = "SAM License"`:                             {"accept_licence": ""},
		"https://github.com/facebookresearch/sam3/blob/main/LICENSE": {"accept_licence": "yes", "confidence": 7},
		"gen.options.confidence":                                     {"confidence": 1.5},
		"gen.options.threshold":                                      {"threshold": -1.0},
		"nothing is left":                                            {"instances": false, "semantic": false},
		"gen.options.words.horse":                                    {"words": map[string]any{"horse": []string{"pony"}}},
		"gen.options.words.cat":                                      {"words": map[string]any{"cat": []string{}}},
		"no such file":                                               {"decoder": "nowhere.onnx"},
		"nothing gives its input":                                    {"decoder": "../../models/foundation/sam/testdata/sam2_decoder.onnx"},
	} {
		if _, err := open(t, data.WeakTags, more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", more, err, want)
		}
	}
}
