package promptsam

import (
	"context"
	"strings"
	"testing"

	"wsss/data"
	"wsss/gen"
)

// TestAutoFindsObjects: among the tiny SAM's masks of everything there is one
// for many objects, and the label stays empty.
func TestAutoFindsObjects(t *testing.T) {
	ds := openScenes(t, 4)
	m, err := gen.New(env(t, ds, "sam-auto", data.WeakNone, map[string]any{"sam": "tiny-sam", "auto": map[string]any{
		"points_per_side": 8, "pred_iou_thresh": 0.4, "stability_score_thresh": 0.6}}))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	found, objects := 0, 0
	for _, id := range ids {
		s, err := ds.Load(id, data.WantImage|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		masks, err := m.Generate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range s.Weak.Boxes {
			objects++
			for _, mask := range masks {
				if boundsIoU(b, mask.Bits) > 0.5 {
					found++
					break
				}
			}
		}
		for _, mask := range masks {
			if mask.Class != 0 || mask.Score < 0.4 || mask.Stability < 0.6 || len(mask.From.Points) != 1 {
				t.Fatalf("%s: %+v", id, mask.From)
			}
		}
	}
	t.Logf("%d of %d objects", found, objects)
	if 3*found < objects {
		t.Errorf("%d of %d objects have a mask", found, objects)
	}
}

func boundsIoU(b data.Box, bits data.RLE) float64 {
	a, r := b.Rect(), bits.Bounds()
	both := a.Intersect(r)
	n := both.Dx() * both.Dy()
	return float64(n) / float64(a.Dx()*a.Dy()+r.Dx()*r.Dy()-n)
}

func TestAutoErrors(t *testing.T) {
	ds := openScenes(t, 1)
	for want, options := range map[string]map[string]any{
		"gen.options.auto.pred_iou_thresh": {"auto": map[string]any{"pred_iou_thresh": 2.0}},
		"gen.options.namer":                {"sam": "tiny-sam", "namer": "dog"},
		"gen.options.min_prob":             {"sam": "tiny-sam", "namer": "clip", "min_prob": -1.0},
		"wsss models pull clip-vit-b-16":   {"sam": "tiny-sam", "namer": "clip"},
		"blip2_image.onnx is missing":      {"sam": "tiny-sam", "namer": "blip2"},
	} {
		if _, err := gen.New(env(t, ds, "sam-auto", data.WeakTags, options)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", options, err, want)
		}
	}
}
