package configs

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestProtocols pins the published schedules: images per update, updates, and
// the learning rates.
func TestProtocols(t *testing.T) {
	want := map[string]struct {
		arch, optimizer   string
		images, updates   int
		crop              int
		lr, head, decay   float64
		msc               bool
		norm, init, crop2 string
	}{
		"voc_deeplabv2_coco_init":      {"deeplab-v2", "sgd", 10, 20000, 321, 2.5e-4, 10, 5e-4, true, "frozen", "coco", "random"},
		"voc_deeplabv2_survey":         {"deeplab-v2", "sgd", 10, 20000, 321, 2.5e-4, 10, 5e-4, true, "frozen", "resnet101", "random"},
		"coco_deeplabv2_survey":        {"deeplab-v2", "sgd", 10, 100000, 321, 2.5e-4, 10, 5e-4, true, "frozen", "resnet101", "random"},
		"coco_deeplabv2_l2g":           {"deeplab-v2", "sgd", 20, 50000, 321, 2.5e-4, 10, 5e-4, true, "frozen", "resnet101", "random"},
		"voc_deeplabv3plus_box2024":    {"deeplab-v3plus", "sgd", 10, 20000, 320, 2.5e-4, 10, 5e-4, false, "head", "resnet101", "center"},
		"coco_deeplabv3plus_box2024":   {"deeplab-v3plus", "sgd", 10, 100000, 320, 2.5e-4, 10, 5e-4, false, "head", "resnet101", "center"},
		"voc_deeplabv3plus_513":        {"deeplab-v3plus", "sgd", 16, 30000, 513, 1e-3, 10, 1e-4, false, "train", "resnet101", "random"},
		"voc_deeplabv3plus_multigrid":  {"deeplab-v3plus-multigrid", "sgd", 16, 33050, 513, 7e-3, 10, 5e-4, false, "train", "resnet101", "random"},
		"coco_deeplabv3plus_multigrid": {"deeplab-v3plus-multigrid", "sgd", 16, 206920, 513, 1e-2, 10, 5e-4, false, "train", "resnet101", "random"},
		"mask2former_voc_swin_l":       {"mask2former", "adamw", 16, 40000, 640, 1e-5, 10, 0.05, false, "frozen", "swin-l-22k", "random"},
		"mask2former_voc_resnet50":     {"mask2former", "adamw", 16, 40000, 512, 1e-5, 10, 0.05, false, "frozen", "resnet50", "random"},
	}
	paths, err := filepath.Glob("protocols/*.toml")
	if err != nil || len(paths) != len(want) {
		t.Fatalf("%d protocols, %v; the table has %d", len(paths), err, len(want))
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".toml")
		c, err := Load(path, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		w, r := want[name], c.Train
		backbone := map[string]string{"mask2former_voc_swin_l": "swin_l", "mask2former_voc_resnet50": "resnet50"}[name]
		if backbone == "" {
			backbone = "resnet101"
		}
		if r.Arch != w.arch || r.Optimizer != w.optimizer || r.Batch*r.Accumulate != w.images || r.Iterations != w.updates ||
			r.Crop != w.crop || r.LR != w.lr || r.HeadMult != w.head || r.WeightDecay != w.decay || r.MSC != w.msc ||
			r.BatchNorm != w.norm || !strings.Contains(r.Init, w.init) || r.CropAt != w.crop2 || r.Backbone != backbone || r.Width != 1 {
			t.Errorf("%s: %+v, want %+v", name, r, w)
		}
		if r.Arch == "mask2former" && (r.ClipNorm != 0.01 || r.DecayOf != DecayKernels || len(r.Jitter) != 4 || len(r.Scales) != 16 || r.ScaleBy != "crop") {
			t.Errorf("%s is not as Meta trains it: %+v %+v", name, r.TrainOptimizer, r.TrainAugment)
		}
		if c.Eval.Bucket != 1 {
			t.Errorf("%s: eval.bucket = %d, want every photo's own size", name, c.Eval.Bucket)
		}
		if c.Out != "runs/"+name {
			t.Errorf("%s writes to %s", name, c.Out)
		}
	}
}

// TestPapersOwnSize: numbers beside published ones come from photos at their
// own size on every engine.
func TestPapersOwnSize(t *testing.T) {
	paths, err := filepath.Glob("papers/*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d configs, %v", len(paths), err)
	}
	for _, path := range paths {
		if c, err := Load(path, nil); err != nil || c.Eval.Bucket != 1 {
			t.Errorf("%s: eval.bucket = %d, %v", path, c.Eval.Bucket, err)
		}
	}
}
