package promptsam

import (
	"context"
	"slices"
	"testing"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/naming"
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

// TestNaming: the tiny CLIP and the tiny BLIP-2 name the masks of true boxes
// among all classes, far better than chance. The bounds are a little below what
// was measured.
func TestNaming(t *testing.T) {
	ds := openScenes(t, 12)
	e := env(t, ds, "sam-auto", data.WeakNone, nil)
	s := defaultSAM()
	s.SAM = "tiny-sam"
	masker, err := s.open(e.Backend)
	if err != nil {
		t.Fatal(err)
	}
	type masked struct {
		sample *data.Sample
		masks  []gen.Mask
	}
	var images []masked
	for _, sample := range samples(t, ds) {
		masks, err := masker.masks(context.Background(), sample, boxPrompts(sample.Weak.Boxes), false)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, masked{sample, masks})
	}
	for name, least := range map[string]float64{"clip": 0.5, "blip2": 0.5} {
		t.Run(name, func(t *testing.T) {
			o := naming.DefaultNamer()
			o.Namer, o.CLIP, o.BLIP2 = name, "tiny-clip", "tiny-blip2"
			if name == "clip" {
				o.Background = []string{} // the tiny CLIP knows no words for it
			}
			n, err := o.Open(e.Backend, s.place())
			if err != nil {
				t.Fatal(err)
			}
			a := &auto{engine: masker, opts: autoOptions{NamerOptions: o}, namer: n, classes: ds.Classes(), weak: data.WeakNone}
			right, all := 0, 0
			for _, m := range images {
				list, err := a.candidates(m.sample)
				if err != nil {
					t.Fatal(err)
				}
				bits := make([]data.RLE, len(m.masks))
				for i, mask := range m.masks {
					bits[i] = mask.Bits
				}
				names, err := n.Names(context.Background(), imageproc.FromImage(m.sample.Image), bits, list)
				if err != nil {
					t.Fatal(err)
				}
				for i, mask := range m.masks {
					all++
					if names[i].Class == mask.Class {
						right++
					}
				}
			}
			t.Logf("%d of %d masks", right, all)
			if float64(right) < least*float64(all) {
				t.Errorf("%d of %d masks have their class, want %v", right, all, least)
			}
		})
	}
}

// TestTagging: the tiny RAM's tags are mostly those of the image.
func TestTagging(t *testing.T) {
	ds := openScenes(t, 30)
	o := naming.TagOptions{RAM: "tiny-ram", Mapping: "exact"}
	tags, _, err := o.Open(env(t, ds, "grounded-sam", data.WeakNone, nil), naming.Place{})
	if err != nil {
		t.Fatal(err)
	}
	hits, found, truth := 0, 0, 0
	for _, s := range samples(t, ds) {
		list, err := tags.Classes(context.Background(), imageproc.FromImage(s.Image))
		if err != nil {
			t.Fatal(err)
		}
		found += len(list)
		truth += len(s.Weak.Tags)
		for _, c := range list {
			if slices.Contains(s.Weak.Tags, c) {
				hits++
			}
		}
	}
	t.Logf("%d of %d tags are right, of %d", hits, found, truth)
	if f1 := 2 * float64(hits) / float64(found+truth); f1 < 0.5 {
		t.Errorf("F1 %.2f", f1)
	}
}

// samples loads the training images with their labels.
func samples(t *testing.T, ds data.Dataset) []*data.Sample {
	t.Helper()
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	var list []*data.Sample
	for _, id := range ids {
		s, err := ds.Load(id, data.WantImage|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}
