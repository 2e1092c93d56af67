package vit

import (
	"testing"

	"wsss/models/onnximport/onnxfile"
)

// TestFind: the parts are found in three kinds of export, whose values have
// lost their names.
func TestFind(t *testing.T) {
	for _, export := range []string{"hf", "full", "openai"} {
		f, err := onnxfile.Open("../../foundation/vitcam/testdata/" + export + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		tower, err := Find(f.Proto.Graph, "image_embeds")
		if err != nil {
			t.Errorf("%s: %v", export, err)
			continue
		}
		if tower.Input != "pixel_values" || tower.Patch != 8 || len(tower.Attention) != 3 {
			t.Errorf("%s: %+v", export, tower)
		}
		normalised := tower.Embedding != "image_embeds"
		if normalised != (export == "full") {
			t.Errorf("%s: the embedding is %q", export, tower.Embedding)
		}
		if err := tower.Resize(f, 10); err != nil {
			t.Errorf("%s: %v", export, err)
		}
	}
}
