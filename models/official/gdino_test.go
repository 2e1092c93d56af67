package official_test

import (
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/load"
	"wsss/models/official"
)

// TestGroundingDINO compares a small checkpoint under the official names with
// transformers' GroundingDinoForObjectDetection, on every backend: a caption of
// two phrases, and one with padding on an image of another size.
func TestGroundingDINO(t *testing.T) { compareGDINO(t, "gdino.pth", "gdino_values.pth") }

// TestMMGroundingDINO does it for MM-Grounding-DINO and LLMDet, a file of
// transformers.
func TestMMGroundingDINO(t *testing.T) {
	compareGDINO(t, "mm_gdino.safetensors", "mm_gdino_values.pth")
}

func compareGDINO(t *testing.T, weights, values string) {
	dir := inFolder(t, weights)
	out := filepath.Join(dir, "gdino.onnx")
	if err := official.GroundingDINO(filepath.Join(dir, weights), out); err != nil {
		t.Fatal(err)
	}
	v := openValues(t, values)
	for _, spec := range backendtest.Quick(t) {
		for _, c := range []string{"a", "b"} {
			ids := v.get(c + "_ids")
			n := ids.Shape().Dimensions[1]
			phrases := make([]bool, n*n)
			for i, x := range tensors.MustCopyFlatData[int64](v.get(c + "_mask")) {
				phrases[i] = x != 0
			}
			got := run(t, spec, out, map[string]*tensors.Tensor{
				"img": v.get(c + "_img"), "input_ids": ids, "attention_mask": v.get(c + "_there"), "position_ids": v.get(c + "_places"),
				"text_token_mask": tensors.FromFlatDataAndDimensions(phrases, 1, n, n),
			}, "logits", "boxes")
			near(t, spec+": boxes of "+c, got["boxes"], v.get(c+"_boxes"))
			near(t, spec+": logits of "+c, got["logits"], v.get(c+"_logits"))
		}
	}
	b := backendtest.One(t)
	s, err := load.Open(b, out, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := gdino.New(s, nil, gdino.DefaultOptions()); err != nil {
		t.Errorf("the pipeline does not take it: %v", err)
	}
}
