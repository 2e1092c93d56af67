package promptsam

import (
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/models/backend/backendtest"
	"wsss/models/official"
)

// sam2Files are the graphs of a small SAM 2.1 with random weights.
func sam2Files(t *testing.T) map[string]any {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{"sam2.pt": "sam2.pt", "sam2_config.json": "config.json"} {
		raw, err := os.ReadFile(filepath.Join("../../models/official/testdata", from))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path, encoder, decoder := filepath.Join(dir, "sam2.pt"), filepath.Join(dir, "e.onnx"), filepath.Join(dir, "d.onnx")
	if err := errors.Join(official.SAM2Encoder(path, encoder), official.SAM2Decoder(path, decoder)); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"encoder": encoder, "decoder": decoder, "cache": filepath.Join(dir, "cache")}
}

// TestSAM2Methods: SAM 2.1 takes the place of the first in the methods that prompt it, with
// kept embeddings too, and min_object leaves out what it does not see.
func TestSAM2Methods(t *testing.T) {
	files, b := sam2Files(t), backendtest.One(t)
	img := image.NewNRGBA(image.Rect(0, 0, 60, 40))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i) | 3
	}
	open := func(method string, weak data.WeakKind, more map[string]any) (gen.Method, error) {
		o := map[string]any{}
		for _, list := range []map[string]any{files, more} {
			for k, v := range list {
				o[k] = v
			}
		}
		return gen.New(gen.Env{Backend: b, Classes: data.Classes{Names: []string{"background", "a", "b"}}, Weak: weak, Gen: configs.Gen{Method: method, Weak: string(weak), Options: o}})
	}
	labels := data.WeakLabels{
		Tags:   []int{1},
		Boxes:  []data.Box{{X0: 5, Y0: 4, X1: 40, Y1: 30, Class: 1}, {X0: 20, Y0: 10, X1: 58, Y1: 38, Class: 2}},
		Points: []data.Point{{X: 12, Y: 12, Class: 1, Rank: 1}, {X: 30, Y: 20, Class: 1, Rank: 2}, {X: 50, Y: 30, Class: 2}},
	}
	for _, tt := range []struct {
		method string
		weak   data.WeakKind
		more   map[string]any
		least  int // masks
		most   int
	}{
		{"sam", data.WeakBoxes, nil, 2, 2},
		{"sam", data.WeakBoxes, map[string]any{"merge": "max-logit", "crop": true}, 1, 2},
		{"sam", data.WeakBoxes, map[string]any{"min_object": 1.0}, 0, 0},
		{"sam", data.WeakPoints, map[string]any{"iterative": true, "mask": "best"}, 2, 2},
		{"sam-auto", data.WeakNone, map[string]any{"auto": map[string]any{"points_per_side": 2, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "box_nms_thresh": 1.0}}, 1, 12},
	} {
		m, err := open(tt.method, tt.weak, tt.more)
		if err != nil {
			t.Fatal(err)
		}
		masks, err := m.Generate(t.Context(), &data.Sample{ID: "x", Image: img, Weak: labels})
		if err != nil || len(masks) < tt.least || len(masks) > tt.most {
			t.Errorf("%s from %s, %v: %d masks, want %d to %d, %v", tt.method, tt.weak, tt.more, len(masks), tt.least, tt.most, err)
		}
	}
	for want, more := range map[string]map[string]any{
		"gen.options.min_object = 2":    {"min_object": 2.0},
		"this SAM export does not tell": {"min_object": 0.5, "encoder": "", "decoder": "", "sam": "tiny-sam", "model_dir": t.TempDir()},
	} {
		if _, err := open("sam", data.WeakBoxes, more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", more, err, want)
		}
	}
}
