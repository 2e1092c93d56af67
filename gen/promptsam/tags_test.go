package promptsam

import (
	"context"
	"testing"

	"wsss/data"
	"wsss/models/foundation/imageproc"
)

// TestTagsToMasks: text to boxes to masks to labels with the tiny models, real
// inference all the way. The bound is a little below what was measured.
func TestTagsToMasks(t *testing.T) {
	ds := openScenes(t, 8)
	iou := meanIoU(t, ds, "grounded-sam", data.WeakTags, map[string]any{
		"sam": "tiny-sam", "gdino": "tiny-gdino", "detect": map[string]any{"nms": 0.6, "box_threshold": 0.2},
	})
	t.Logf("mIoU %.3f", iou)
	if iou < 0.5 {
		t.Errorf("mIoU %.3f, at least 0.5 was measured", iou)
	}
}

// TestNaming: the tiny CLIP names the masks of true boxes among all classes,
// far better than chance.
func TestNaming(t *testing.T) {
	ds := openScenes(t, 12)
	e := env(t, ds, "sam-auto", data.WeakNone, nil)
	s := defaultSAM()
	s.SAM = "tiny-sam"
	masker, err := s.open(e.Backend)
	if err != nil {
		t.Fatal(err)
	}
	o := defaultNames()
	o.Namer, o.CLIP, o.Background = "clip", "tiny-clip", []string{}
	n, err := o.openNamer(e.Backend, s)
	if err != nil {
		t.Fatal(err)
	}
	a := &auto{engine: masker, opts: autoOptions{nameOptions: o}, namer: n, classes: ds.Classes(), weak: data.WeakNone}
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	right, all := 0, 0
	for _, id := range ids {
		sample, err := ds.Load(id, data.WantImage|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		masks, err := masker.masks(context.Background(), sample, boxPrompts(sample.Weak.Boxes), false)
		if err != nil {
			t.Fatal(err)
		}
		list, err := a.candidates(sample)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range masks {
			class, _, err := n.name(context.Background(), imageproc.FromImage(sample.Image), m.Bits, list)
			if err != nil {
				t.Fatal(err)
			}
			all++
			if class == m.Class {
				right++
			}
		}
	}
	t.Logf("%d of %d masks", right, all)
	if 3*right < all {
		t.Errorf("%d of %d masks have their class: at least a third was measured", right, all)
	}
}
