package onnxseg

import (
	"context"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"wsss/configs"
	"wsss/models/backend/backendtest"
	"wsss/models/onnxwrite"
)

// queryNet writes a network of three queries, whose masks are red, green and
// blue, and whose classes are 2, 1 and 0; of five classes, the last is no object.
// It has a mask of another layer before, as exports with auxiliary outputs do, and
// takes so many photos at once.
func queryNet(t *testing.T, batch int) string {
	t.Helper()
	b := onnxwrite.New("queries", nil)
	b.Input("image", protos.TensorProto_FLOAT, batch, 3, "height", "width")
	masks := b.Op("Mul", []onnxwrite.Value{b.Op("Sub", []onnxwrite.Value{"image", b.Float(0.5)}), b.Float(20)})
	b.Named("pred_masks", "Identity", []onnxwrite.Value{masks})
	b.Named("aux_masks", "Neg", []onnxwrite.Value{masks})
	b.Named("pred_logits", "Identity", []onnxwrite.Value{b.Floats("table", slices.Repeat([]float32{0, 0, 4, 0, 1, 0, 4, 0, 0, 1, 4, 0, 0, 0, 1}, batch), batch, 3, 5)})
	b.Output("pred_logits", protos.TensorProto_FLOAT, batch, 3, 5)
	b.Output("pred_masks", protos.TensorProto_FLOAT, batch, 3, "height", "width")
	b.Output("aux_masks", protos.TensorProto_FLOAT, batch, 3, "height", "width")
	raw, err := proto.Marshal(b.Model(nil))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queries.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestQueries(t *testing.T) {
	b := backendtest.One(t)
	photo := image.NewNRGBA(image.Rect(0, 0, 30, 20))
	for y := range 20 {
		for x := range 30 {
			photo.SetNRGBA(x, y, [3]color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}}[x/10])
		}
	}
	base := configs.ONNX{Name: "q", Path: queryNet(t, 1), Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}, OutputLayout: configs.Queries}
	for name, change := range map[string]func(*configs.ONNX){
		"by axes": func(*configs.ONNX) {}, "by name": func(c *configs.ONNX) { c.Output, c.Masks = "pred_logits", "pred_masks" },
		"stretched": func(c *configs.ONNX) { c.Width, c.Height = 60, 60 }, "fixed batch": func(c *configs.ONNX) { c.Path = queryNet(t, 2) },
	} {
		c := base
		change(&c)
		p, err := Open(b, c, 4)
		if err != nil {
			t.Fatal(name, err)
		}
		m, err := p.Predict(context.Background(), photo)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, v := range m.Pix {
			if want := uint8(2 - i%30/10); v != want {
				t.Fatalf("%s: pixel %d is %d, want %d", name, i, v, want)
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, change := range map[string]func(*configs.ONNX){
		`eval.onnx.masks = "nothing": allowed are`: func(c *configs.ONNX) { c.Output, c.Masks = "pred_logits", "nothing" },
		"shapes [1 3 30 30]":                       func(c *configs.ONNX) { c.Output, c.Masks, c.Width, c.Height = "pred_masks", "pred_logits", 30, 30 },
	} {
		c := base
		change(&c)
		p, err := Open(b, c, 4)
		if err == nil {
			_, err = p.Predict(context.Background(), photo)
		}
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(name, "[1 3 30 30]", "")) {
			t.Errorf("error %v, want %s", err, name)
		}
	}
}

// TestScores: by hand, for masks half as large as the image.
func TestScores(t *testing.T) {
	got := scores([]float32{0, 0, 0, 2, 0, 0}, []float32{1, -1, 0, 3}, []int{2, 1, 2}, 2, image.Pt(4, 1))
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	e := math.Exp(2)
	for x, m := range [4][2]float64{{1, 0}, {0.5, 0.75}, {-0.5, 2.25}, {-1, 3}} {
		for c := range 2 {
			want := sigmoid(m[0])/3 + sigmoid(m[1])*[2]float64{e, 1}[c]/(e+2)
			if math.Abs(float64(got[c*4+x])-want) > 1e-6 {
				t.Errorf("class %d, pixel %d: %g, want %g", c, x, got[c*4+x], want)
			}
		}
	}
}
