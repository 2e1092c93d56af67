package vit

import (
	"os"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

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

// FuzzFind: no graph makes the search or the cuts panic.
func FuzzFind(f *testing.F) {
	raw, err := os.ReadFile("../../foundation/vitcam/testdata/openai.onnx")
	if err != nil {
		f.Fatal(err)
	}
	m := new(protos.ModelProto)
	if err := proto.Unmarshal(raw, m); err != nil {
		f.Fatal(err)
	}
	for _, t := range m.Graph.Initializer { // values only make inputs large
		t.RawData = nil
	}
	if raw, err = proto.Marshal(m.Graph); err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		g := new(protos.GraphProto)
		if proto.Unmarshal(raw, g) != nil {
			return
		}
		tower, err := Find(g, "image_embeds")
		if err != nil {
			return
		}
		file := &onnxfile.File{Proto: &protos.ModelProto{Graph: g}}
		if tower.Resize(file, 10) == nil {
			tower.Cut(file)
		}
	})
}
