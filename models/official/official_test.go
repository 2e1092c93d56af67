package official_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/load"
	"wsss/models/official"
	"wsss/models/weights"
	"wsss/models/weights/pth"
	"wsss/models/weights/weightstest"
)

// inFolder copies files of testdata to a folder of their own, where graphs lie
// beside them.
func inFolder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// values are a file of inputs and of what a reference package makes of them.
type values struct {
	t *testing.T
	r weights.Source
}

func openValues(t *testing.T, name string) values {
	t.Helper()
	return values{t, weightstest.Open(t, filepath.Join("testdata", name))}
}

func (v values) get(name string) *tensors.Tensor {
	v.t.Helper()
	return weightstest.Tensor(v.t, v.r, name)
}

// run computes outputs of a graph on a backend.
func run(t *testing.T, spec, path string, in map[string]*tensors.Tensor, want ...string) map[string]*tensors.Tensor {
	t.Helper()
	b, err := backend.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	whole := ""
	s, err := load.Open(b, path, load.Options{Warn: func(msg string) { whole = msg }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(context.Background(), in, want...)
	if err != nil {
		t.Fatal(err)
	}
	if whole != "" {
		t.Errorf("%s on %s: %s", filepath.Base(path), spec, whole)
	}
	return out
}

// difference is the largest one from a reference, and that one's largest value.
func difference(t *testing.T, what string, got, want *tensors.Tensor) (diff, scale float64) {
	t.Helper()
	if got == nil || !got.Shape().Equal(want.Shape()) {
		t.Fatalf("%s: %v, want shape %s", what, got, want.Shape())
	}
	a, b := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	for i := range a {
		diff, scale = max(diff, math.Abs(float64(a[i]-b[i]))), max(scale, math.Abs(float64(b[i])))
	}
	return diff, scale
}

// near compares with a reference, relative to its largest value.
func near(t *testing.T, what string, got, want *tensors.Tensor) {
	t.Helper()
	if diff, scale := difference(t, what, got, want); !(diff <= 1e-4*scale) {
		t.Errorf("%s: largest difference %.2g of %.2g", what, diff, scale)
	}
}

// TestSAM compares encoder and decoder of a small checkpoint under the official
// names with Meta's package, on every backend.
func TestSAM(t *testing.T) {
	dir := inFolder(t, "sam.pth")
	encoder, decoder := filepath.Join(dir, "encoder.onnx"), filepath.Join(dir, "decoder.onnx")
	if err := official.SAMEncoder(filepath.Join(dir, "sam.pth"), encoder); err != nil {
		t.Fatal(err)
	}
	if err := official.SAMDecoder(filepath.Join(dir, "sam.pth"), decoder); err != nil {
		t.Fatal(err)
	}
	v := openValues(t, "sam_values.pth")
	zeros := tensors.FromFlatDataAndDimensions(make([]float32, 16*16), 1, 1, 16, 16)
	flag := func(x float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions([]float32{x}, 1) }
	points := func(coords, labels []float32) (*tensors.Tensor, *tensors.Tensor) {
		return tensors.FromFlatDataAndDimensions(coords, 1, len(labels), 2), tensors.FromFlatDataAndDimensions(labels, 1, len(labels))
	}
	for _, spec := range backendtest.Quick(t) {
		out := run(t, spec, encoder, map[string]*tensors.Tensor{"pixel_values": v.get("pixel_values")}, "image_embeddings")
		near(t, spec+": embedding", out["image_embeddings"], v.get("image_embeddings"))
		for _, name := range []string{"none", "mask", "point", "box"} {
			coords, labels, mask, has := v.get("point_coords"), v.get("point_labels"), zeros, flag(0)
			switch name {
			case "mask":
				mask, has = v.get("mask_input"), flag(1)
			case "point":
				coords, labels = points([]float32{3, 5, 0, 0}, []float32{1, -1})
			case "box":
				coords, labels = points([]float32{10, 12, 50, 40}, []float32{2, 3})
			}
			out := run(t, spec, decoder, map[string]*tensors.Tensor{
				"image_embeddings": v.get("image_embeddings"), "point_coords": coords, "point_labels": labels, "mask_input": mask, "has_mask_input": has,
			}, "low_res_masks", "iou_predictions")
			near(t, spec+": masks, "+name, out["low_res_masks"], v.get(name+"_low"))
			near(t, spec+": scores, "+name, out["iou_predictions"], v.get(name+"_iou"))
		}
	}
}

// TestSAMIsUsable: the pipeline takes the pair for Meta's export, with boxes,
// earlier masks and all four masks.
func TestSAMIsUsable(t *testing.T) {
	dir := inFolder(t, "sam.pth")
	path := filepath.Join(dir, "sam.pth")
	if err := official.SAMEncoder(path, filepath.Join(dir, "e.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := official.SAMDecoder(path, filepath.Join(dir, "d.onnx")); err != nil {
		t.Fatal(err)
	}
	b := backendtest.One(t)
	m, sessions, err := load.SAM(b, filepath.Join(dir, "e.onnx"), filepath.Join(dir, "d.onnx"), load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	if m.Side() != 64 || !m.TakesBoxes() || !m.TakesMasks() {
		t.Errorf("side %d, boxes %t, masks %t", m.Side(), m.TakesBoxes(), m.TakesMasks())
	}
}

// TestGraphsAreSmall: the weights stay in the checkpoint; the same checkpoint
// gives the same bytes; another network is refused by name.
func TestGraphsAreSmall(t *testing.T) {
	dir := inFolder(t, "sam.pth", "sam_values.pth")
	out := filepath.Join(dir, "encoder.onnx")
	var made [2][]byte
	for i := range made {
		if err := official.SAMEncoder(filepath.Join(dir, "sam.pth"), out); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		made[i] = raw
	}
	if !slices.Equal(made[0], made[1]) {
		t.Error("another graph the second time")
	}
	r, err := pth.Open(filepath.Join(dir, "sam.pth"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x, err := r.Tensor("image_encoder.blocks.0.attn.qkv.weight")
	if err != nil {
		t.Fatal(err)
	}
	if x, err = weights.Float32(x); err != nil {
		t.Fatal(err)
	}
	err = x.ConstBytes(func(data []byte) {
		if strings.Contains(string(made[0]), string(data)) {
			t.Error("the graph has a copy of the weights")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "sam_values.pth"): "no tensor image_encoder.pos_embed",
		filepath.Join(dir, "none.pth"):       "no such file",
		"testdata/sam.pth":                   "lies beside its weights",
	} {
		if err := official.SAMEncoder(path, out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
