package vit

import (
	"fmt"
	"os"
	"strings"
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
		if stream := Follow(f.Proto.Graph).Stream("image_embeds"); len(stream) != 4 || stream[2] != tower.Stream {
			t.Errorf("%s: stream %v, the last block reads %s", export, stream, tower.Stream)
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

// TestFree: a size that an export fixed becomes open, in a constant shape and in
// one that is put together; shared constants stay as they are for others.
func TestFree(t *testing.T) {
	constant := func(name string, v ...int64) *protos.TensorProto {
		return &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(v))}, Int64Data: v}
	}
	for _, tt := range []struct {
		name  string
		shape []*protos.TensorProto // nil: computed
		want  string
	}{
		{"constant", []*protos.TensorProto{constant("a", 1, 10, 16)}, "[1 -1 16]"},
		{"only the first", []*protos.TensorProto{constant("a", 10, 10)}, "[-1 10]"},
		{"open already", []*protos.TensorProto{constant("a", -1, 10)}, "[-1 10]"},
		{"another size", []*protos.TensorProto{constant("a", 2, 16)}, "[2 16]"},
		{"put together", []*protos.TensorProto{nil, constant("a", 10), constant("b", 2, 8)}, "[] [-1] [2 8]"},
		{"put together, of a number", []*protos.TensorProto{{Name: "number", DataType: int32(protos.TensorProto_INT64), Int64Data: []int64{10}}, nil, constant("a", 16)}, "[-1] [] [16]"},
		{"put together, open", []*protos.TensorProto{constant("a", 10), constant("b", -1)}, "[10] [-1]"},
	} {
		reshape := &protos.NodeProto{OpType: "Reshape", Input: []string{"x", "a"}, Output: []string{"y"}}
		concat := &protos.NodeProto{OpType: "Concat", Output: []string{"shape"}}
		g := &protos.GraphProto{Node: []*protos.NodeProto{reshape}}
		var unsqueezed []*protos.NodeProto
		for _, p := range tt.shape {
			name := "computed"
			if p != nil {
				name = p.Name
				g.Initializer = append(g.Initializer, p)
				if len(p.Dims) == 0 {
					name += "/axis"
					unsqueezed = append(unsqueezed, &protos.NodeProto{OpType: "Unsqueeze", Input: []string{p.Name, "axes"}, Output: []string{name}})
				}
			}
			concat.Input = append(concat.Input, name)
		}
		if len(tt.shape) > 1 {
			g.Node = append(unsqueezed, concat, reshape)
			reshape.Input[1] = "shape"
		}
		c := cutter{file: &onnxfile.File{Proto: &protos.ModelProto{Graph: g}}, constants: map[string]*protos.TensorProto{}, concats: map[string]*protos.NodeProto{}}
		c.collect()
		if err := c.free(reshape, []int64{10}); err != nil {
			t.Fatal(err)
		}
		g.Node = append(c.made, g.Node...)
		c.collect() // what was made, too
		list := []string{reshape.Input[1]}
		if made := c.concats[reshape.Input[1]]; made != nil {
			list = made.Input
		}
		var got []string
		for _, name := range list {
			v, err := c.read(name)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(v))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
		if v, err := c.read(g.Initializer[0].Name); err != nil || fmt.Sprint(v) != fmt.Sprint(g.Initializer[0].Int64Data) {
			t.Errorf("%s: the constant itself is %v, %v", tt.name, v, err)
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
