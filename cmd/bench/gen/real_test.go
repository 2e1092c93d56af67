package gen

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/eval"
	"wsss/gen"
	_ "wsss/gen/all"
	"wsss/models/backend"
)

// TestRealPhotos labels 21 photos of VOC from their tags by published networks:
// by class activation maps of an ImageNet classifier, by saliency told apart by
// them, and by what CRF and GrabCut make of that. Each is far better than GrabCut
// alone.
func TestRealPhotos(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("21 photos through a large network, some five minutes: set WSSS_VERIFY=1")
	}
	ds, err := Pairs(datatest.Path(t, "voc_mini"))
	if err != nil {
		t.Fatal(err)
	}
	keep := t.TempDir()
	cam := map[string]any{"method": "imagenet-cam", "keep": filepath.Join(keep, "cam"), "options": map[string]any{"classifier": datatest.Real(t, "efficientnet-lite2.pth")}}
	net := map[string]any{"network": datatest.Real(t, "isnet.onnx"), "norm": "half", "output": "output"}
	told := maps.Clone(net)
	told["from"] = cam
	both := map[string]any{"method": "saliency", "keep": filepath.Join(keep, "both"), "options": told}
	b, err := backend.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	for _, c := range []struct {
		name, method string
		options      map[string]any
		least        float64 // mIoU
	}{
		{"GrabCut", "grabcut", nil, 0.2},
		{"CAM", "import", cam, 0.33},
		{"saliency", "import", map[string]any{"method": "saliency", "keep": filepath.Join(keep, "salient"), "options": net}, 0.20}, // of several tags none is told
		{"saliency and CAM", "import", both, 0.50},
		{"… and CRF", "crf", map[string]any{"from": both}, 0.50},
		{"… and GrabCut", "grabcut", map[string]any{"from": both}, 0.40},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := configs.Gen{Method: c.method, Weak: "tags", Options: c.options, Fuse: configs.Default().Gen.Fuse}
			m, err := gen.New(gen.Env{Backend: b, Classes: ds.Classes(), Weak: data.WeakTags, Seed: 1, Gen: g})
			if err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			if _, err := gen.Run(t.Context(), gen.RunOptions{Dataset: derived{ds, 1}, Split: "all", Method: m, Name: c.method, Weak: data.WeakTags, Fuse: g.Fuse, OutDir: out, ConfigHash: c.name}); err != nil {
				t.Fatal(err)
			}
			res, err := eval.Folder(t.Context(), ds, "all", out, eval.Options{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s mIoU, %.1f to %.1f", c.name, res.MIoU.Percent(), 100*res.CI.Lo, 100*res.CI.Hi)
			if float64(res.MIoU) < c.least {
				t.Errorf("%s: %s mIoU, wanted are %.1f", c.name, res.MIoU.Percent(), 100*c.least)
			}
		})
	}
}
