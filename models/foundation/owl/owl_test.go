package owl

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/onnxtest"
	"wsss/models/weights/weightstest"
)

// testdata/gen_owl.py wrote the files with transformers.
const (
	tiny  = "testdata/owlv2.safetensors"
	heads = 2
	side  = 48
)

// exports are the same network as ONNX files, of both exporters of PyTorch.
var exports = []string{"testdata/optimum.onnx", "testdata/dynamo.onnx"}

func fromTiny(t testing.TB, b compute.Backend) *Model {
	t.Helper()
	net, err := newWeights(b, weightstest.Open(t, tiny), heads)
	if err != nil {
		t.Fatal(err)
	}
	return &Model{net: net}
}

// picture is the made-up one of gen_owl.py, channels last.
func picture(seed int) []float32 {
	v := make([]float32, 0, 3*side*side)
	for y := range side {
		for x := range side {
			for c := range 3 {
				v = append(v, float32((x*(7+seed)+y*3+c*40+x*y/8)%256)/128-1)
			}
		}
	}
	return v
}

// TestParity: vectors, logits of another photo's objects and boxes are within
// 1e-4 of those of transformers, from its weights and from its ONNX files.
func TestParity(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		t.Run("weights", func(t *testing.T) { compare(t, fromTiny(t, b)) })
		for _, path := range exports {
			t.Run(filepath.Base(path), func(t *testing.T) {
				m, err := Open(b, path)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, m)
			})
		}
	})
}

func compare(t *testing.T, m *Model) {
	ref := weightstest.Open(t, "testdata/parity.safetensors")
	look := func(seed int) *Photo {
		p, err := m.look(t.Context(), picture(seed), side, side)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, second := look(0), look(5)
	var vectors, logits, boxes []float32
	for _, p := range first.patches {
		vectors = append(vectors, p.vector...)
	}
	queries := []Query{first.patches[3].vector, first.patches[20].vector}
	for _, p := range second.patches {
		for _, q := range queries {
			_, logit := p.nearest([]Query{q})
			logits = append(logits, logit)
		}
		x := p.box
		for _, v := range []float32{(x.X0 + x.X1) / 2, (x.Y0 + x.Y1) / 2, x.X1 - x.X0, x.Y1 - x.Y0} {
			boxes = append(boxes, v/side)
		}
	}
	n := len(first.patches)
	near := func(key string, v []float32, dims ...int) {
		weightstest.Near(t, key, tensors.FromFlatDataAndDimensions(v, dims...), ref, key, 1e-3)
	}
	near("vectors", vectors, 1, n, len(vectors)/n)
	near("logits", logits, 1, n, 2)
	near("boxes", boxes, 1, n, 4)
}

// TestQuery: a box is spoken for by a patch whose own box fits it.
func TestQuery(t *testing.T) {
	p := &Photo{w: 100, h: 100, patches: []patch{
		{vector: []float32{1, 0}, length: 1, box: data.Box{X1: 40, Y1: 40}},
		{vector: []float32{0.8, 0.6}, length: 1, box: data.Box{X1: 38, Y1: 40}}, // fits nearly as well, and differs more from the others
		{vector: []float32{1, 0}, length: 1, box: data.Box{X0: 50, Y0: 50, X1: 90, Y1: 120}},
	}}
	if q := p.Query(data.Box{X1: 40, Y1: 40}); q == nil || q[1] != 0.6 {
		t.Errorf("query %v", q)
	}
	if q := p.Query(data.Box{X0: 95, Y0: 0, X1: 100, Y1: 10}); q != nil {
		t.Errorf("a box that nothing meets gives %v", q)
	}
	for i := range p.patches {
		p.patches[i].scale = 10
	}
	found := p.Find([]Query{{0, 1}, {1, 0}}, []int{4, 7}, 0.9)
	if len(found) != 3 || found[0].Box.Class != 7 || found[0].Query != 1 || found[1].Box.Y1 != 100 || found[2].Score >= found[1].Score {
		t.Errorf("found %+v", found)
	}
	if found := p.Find(nil, nil, 0); found != nil {
		t.Errorf("without queries: %v", found)
	}
}

// TestLook: a photo of any shape; its boxes lie where the photo does.
func TestLook(t *testing.T) {
	m := fromTiny(t, backendtest.One(t))
	img := imageproc.NewRGB(70, 30)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	p, err := m.Look(t.Context(), img)
	if err != nil || len(p.patches) != 36 {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, d := range p.Find([]Query{p.patches[0].vector}, []int{1}, 0) {
		if b := d.Box; b.X0 < 0 || b.Y0 < 0 || b.X1 > 70 || b.Y1 > 30 || math.IsNaN(float64(d.Score)) {
			t.Errorf("%+v", d)
		}
	}
	if _, err := m.Look(t.Context(), imageproc.NewRGB(0, 0)); err == nil {
		t.Error("a photo without pixels is looked at")
	}
}

// TestErrors: files of other networks are refused by name.
func TestErrors(t *testing.T) {
	b := backendtest.One(t)
	half := filepath.Join(t.TempDir(), "half.safetensors")
	raw, err := os.ReadFile(tiny)
	if err == nil {
		err = os.WriteFile(half, raw[:len(raw)/2], 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"../../vit/testdata/clip.safetensors": "not the weights of OWLv2", "none.safetensors": "none.safetensors", half: "half.safetensors",
		"../zoo/clip_vision.onnx": "there is no output logits",
		onnxtest.Edited(t, exports[0], "swapped.onnx", func(g *protos.GraphProto) {
			for _, n := range g.Node {
				for i, name := range n.Output {
					n.Output[i] = map[string]string{"logits": "pred_boxes", "pred_boxes": "logits"}[name]
					n.Output[i] = cmp.Or(n.Output[i], name)
				}
			}
		}): "output logits is not (similarity + shift) · scale",
		onnxtest.Edited(t, exports[0], "oblong.onnx", func(g *protos.GraphProto) {
			for i, d := range g.Input[1].Type.GetTensorType().Shape.Dim {
				d.Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: []int64{1, 3, 48, 40}[i]}
			}
		}): "40×48 pixels: wanted is a square",
	} {
		if _, err := Open(b, path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open(nil, tiny); err == nil {
		t.Error("opened without a backend")
	}
}
