package sam3_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam3"
	"wsss/models/foundation/tokenize"
	"wsss/models/weights/weightstest"
)

// merges is a vocabulary of single characters.
func merges(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "merges.txt")
	datatest.Write(t, path, "#version: 0.2\n")
	return path
}

// TestParity compares a small SAM 3 of random weights with what transformers makes of
// the same photo, words and boxes, and class maps with SegEarth-OV3's
// (testdata/gen_sam3.py), on every backend.
func TestParity(t *testing.T) {
	r := weightstest.Open(t, "testdata/sam3_values.pth")
	get := func(name string) *tensors.Tensor { return weightstest.Tensor(t, r, name) }
	floats := func(name string) []float32 { return tensors.MustCopyFlatData[float32](get(name)) }
	img := &imageproc.RGB{W: 90, H: 60, Pix: tensors.MustCopyFlatData[uint8](get("photo"))}
	c := floats("boxes")
	exemplar := func(i int, negative bool) sam3.Exemplar {
		return sam3.Exemplar{Box: data.Box{X0: c[4*i], Y0: c[4*i+1], X1: c[4*i+2], Y1: c[4*i+3]}, Negative: negative}
	}
	words := merges(t)
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		whole := ""
		m, files, err := load.SAM3(b, "testdata/vision.onnx", "testdata/text.onnx", "testdata/decoder.onnx", words, load.Options{Warn: func(msg string) { whole = msg }})
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close() //nolint:errcheck // memory only
		if !m.TakesBoxes() || !m.HasSemantic() {
			t.Errorf("boxes %t, semantic %t", m.TakesBoxes(), m.HasSemantic())
		}
		e, err := m.Embed(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Free()
		for name, tt := range map[string]struct {
			concept    sam3.Concept
			confidence float64
		}{
			"word":  {sam3.Concept{Text: "Cat"}, 0.21},
			"both":  {sam3.Concept{Text: "dog", Boxes: []sam3.Exemplar{exemplar(0, false), exemplar(1, true)}}, 0.17},
			"boxes": {sam3.Concept{Boxes: []sam3.Exemplar{exemplar(0, false)}}, 0.15},
		} {
			found, err := m.Find(t.Context(), e, tt.concept)
			if err != nil {
				t.Fatal(err)
			}
			presence := 1 / (1 + math.Exp(-float64(floats(name + "_presence")[0])))
			equal(t, name+": presence", []float32{found.Presence}, []float32{float32(presence)})
			var scores []float32
			for _, v := range floats(name + "_logits") {
				scores = append(scores, float32(presence/(1+math.Exp(-float64(v)))))
			}
			equal(t, name+": scores", found.Scores, scores)
			heads := sam3.DefaultHeads()
			heads.Confidence = tt.confidence
			equal(t, name+": map", found.Map(90, 60, heads), floats(name+"_map"))
			// At the size of its own maps, with all instances: the logits themselves.
			alone := sam3.Heads{Semantic: true}
			var semantic []float32
			for _, v := range floats(name + "_semantic") {
				semantic = append(semantic, float32(1/(1+math.Exp(-float64(v)))))
			}
			equal(t, name+": semantic head", found.Map(found.W, found.H, alone), semantic)
		}
		if whole != "" {
			t.Error(whole)
		}
		if _, err := m.Find(t.Context(), e, sam3.Concept{}); err == nil || !strings.Contains(err.Error(), "empty concept") {
			t.Errorf("empty concept: %v", err)
		}
		if _, err := m.Find(t.Context(), e, sam3.Concept{Text: "a very long phrase"}); err == nil || !strings.Contains(err.Error(), "too long for SAM 3's 8") {
			t.Errorf("long text: %v", err)
		}
	})
}

// TestTogether: photos that share runs of the image encoder have the masks that each
// has alone.
func TestTogether(t *testing.T) {
	words := merges(t)
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		m, files, err := load.SAM3(b, "testdata/vision.onnx", "testdata/text.onnx", "testdata/decoder.onnx", words, load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close() //nolint:errcheck // memory only
		backendtest.SharedRuns(t, 5, 1e-3, func(i int) ([]float32, error) {
			img := imageproc.NewRGB(30+i, 20)
			for k := range img.Pix {
				img.Pix[k] = uint8(k * (i + 3) % 251)
			}
			e, err := m.Embed(t.Context(), img)
			if err != nil {
				return nil, err
			}
			defer e.Free()
			found, err := m.Find(t.Context(), e, sam3.Concept{Text: "cat"})
			if err != nil {
				return nil, err
			}
			return append(found.Map(30, 20, sam3.DefaultHeads()), found.Presence), nil
		})
	})
}

// equal wants probabilities within 1e-4 of a reference's.
func equal(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	worst := 0.0
	for i, v := range got {
		worst = max(worst, math.Abs(float64(v-want[i])))
	}
	if t.Logf("%s: largest difference %.1e", what, worst); !(worst <= 1e-4) {
		t.Errorf("%s: largest difference %.1e", what, worst)
	}
}

// ports is a graph that only has inputs and outputs.
type ports struct{ in, out []foundation.Port }

func (p ports) Inputs() []foundation.Port  { return p.in }
func (p ports) Outputs() []foundation.Port { return p.out }
func (ports) Run(context.Context, map[string]*tensors.Tensor, ...string) (map[string]*tensors.Tensor, error) {
	panic("nothing runs here")
}

func named(names ...string) (list []foundation.Port) {
	for _, n := range names {
		list = append(list, foundation.Port{Name: n})
	}
	return list
}

// TestExports: which graphs are joined, and what is said about others.
func TestExports(t *testing.T) {
	words, err := tokenize.LoadCLIP(merges(t))
	if err != nil {
		t.Fatal(err)
	}
	image := foundation.Port{Name: "images", DType: dtypes.Float32, Dims: []int{-1, 3, 1008, 1008}}
	ids := foundation.Port{Name: "input_ids", DType: dtypes.Int64, Dims: []int{-1, 32}}
	answers := named("pred_masks", "pred_boxes", "pred_logits", "presence_logits")
	usls := []ports{
		{[]foundation.Port{image}, named("fpn_feat_0", "fpn_feat_1", "fpn_feat_2", "fpn_pos_2")},
		{append(named("attention_mask"), ids), named("text_features", "text_mask")},
		{named("fpn_feat_0", "fpn_feat_1", "fpn_feat_2", "fpn_pos_2", "text_features", "text_mask", "input_boxes", "input_boxes_labels"), answers},
	}
	words3 := []ports{ // a mask by the host, a semantic map, no boxes
		{[]foundation.Port{image}, named("features_288", "features_144", "features_72", "image_embeddings.0")},
		{append(named("attention_mask"), ids), named("text_features")},
		{named("features_288", "features_144", "features_72", "text_features", "text_mask"), append(named("semantic_seg"), answers...)},
	}
	text := []ports{ // danilobukvic/sam3-text-onnx: a mask by the host, neither boxes nor presence nor a semantic map
		{[]foundation.Port{{Name: "pixel_values", DType: dtypes.Float32, Dims: []int{1, 3, 1008, 1008}}}, named("fpn_hidden_state_0", "fpn_hidden_state_1", "fpn_hidden_state_2", "fpn_hidden_state_3",
			"fpn_position_encoding_0", "fpn_position_encoding_1", "fpn_position_encoding_2", "fpn_position_encoding_3")},
		{append(named("attention_mask"), ids), named("text_features")},
		{named("fpn_hidden_state_0", "fpn_hidden_state_1", "fpn_hidden_state_2", "fpn_position_encoding_2", "text_features", "attention_mask"), named("pred_masks", "pred_boxes", "pred_logits")},
	}
	change := func(from []ports, i int, now ports) []ports {
		list := append([]ports(nil), from...)
		list[i] = now
		return list
	}
	for name, tt := range map[string]struct {
		graphs          []ports
		boxes, semantic bool
		absent          bool // the presence score
		want            string
	}{
		"usls, second export":       {graphs: usls, boxes: true},
		"words alone":               {graphs: words3, semantic: true},
		"words, no presence":        {graphs: text, absent: true},
		"files of two exports":      {graphs: change(usls, 0, words3[0]), want: "nothing gives its input fpn_feat_0"},
		"no image":                  {graphs: change(usls, 0, usls[1]), want: "not a known SAM 3 image encoder"},
		"tokens by another name":    {graphs: change(usls, 1, ports{named("tokens"), named("text_memory")}), want: "not a known SAM 3 text encoder: its inputs are tokens"},
		"masks at the photo's size": {graphs: change(usls, 2, ports{usls[2].in, named("boxes", "scores", "masks")}), want: "its outputs are boxes, scores, masks"},
		"a huge image":              {graphs: change(usls, 0, ports{[]foundation.Port{{Name: "images", DType: dtypes.Float32, Dims: []int{1, 3, 9000, 9000}}}, usls[0].out}), want: "largest side allowed is 4096"},
	} {
		m, err := sam3.New(tt.graphs[0], tt.graphs[1], tt.graphs[2], words)
		switch {
		case tt.want != "":
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		case err != nil || m.TakesBoxes() != tt.boxes || m.HasSemantic() != tt.semantic || m.HasPresence() == tt.absent:
			t.Errorf("%s: %v", name, err)
		}
	}
}
