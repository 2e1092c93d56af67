package starter

import (
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
	generated "wsss/data/scenes"
	"wsss/models/manifest"
)

// A folder is told by what the published data sets unpack to; where models are
// here, they come before what needs none.
func TestChoices(t *testing.T) {
	store := t.TempDir()
	t.Setenv(manifest.Env, store)
	put := func(path string) {
		t.Helper()
		datatest.Write(t, path, "x")
	}
	dir := t.TempDir()
	put(filepath.Join(dir, "voc", "JPEGImages", "1.jpg"))
	put(filepath.Join(dir, "voc", "ImageSets", "Segmentation", "train.txt"))
	put(filepath.Join(dir, "coco", "annotations", "instances_train2017.json"))
	put(filepath.Join(dir, "mine", "images", "1.jpg"))
	for name, want := range map[string]string{"voc": "voc", "coco": "coco", "mine": "folder"} {
		if got := KindOf(filepath.Join(dir, name)); got != want {
			t.Errorf("%s is taken for %s", name, got)
		}
	}
	scenes := filepath.Join(dir, "scenes")
	cfg := generated.DefaultConfig()
	cfg.Train, cfg.Val = 3, 1
	if err := generated.Write(t.Context(), scenes, cfg, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if s, err := New(scenes, "voc", "", nil); err != nil || s.Have[data.WeakBoxes] != 3 || !strings.HasPrefix(s.Options[0], `classes = ["ball"`) {
		t.Errorf("VOC's layout with classes of one's own: %+v, %v", s, err)
	}
	put(filepath.Join(store, "mobile-sam", "mobile_sam_image_encoder.onnx"))
	put(filepath.Join(store, "mobile-sam", "sam_mask_decoder_multi.onnx"))
	for weak, want := range map[string]string{"boxes": "sam", "points": "sam", "tags": "grounded-sam", "none": "grounded-sam"} {
		s := Starter{Weak: data.WeakKind(weak)}
		if err := s.choose(); err != nil || !strings.HasPrefix(s.Methods[0], `method = "`+want+`"`) {
			t.Errorf("%s: %q, %v; want %s", weak, s.Methods, err, want)
		}
	}
}
