package pipeline

import (
	"strings"
	"testing"

	"wsss/configs"
	_ "wsss/models/nets"
)

// TestCheckStart: a random start is refused where statistics of a weight file would
// be kept, and only there.
func TestCheckStart(t *testing.T) {
	for _, c := range []struct {
		arch, backbone, norm string
		refused              bool
	}{
		{"deeplab-v3plus", "resnet18", "head", true},
		{"deeplab-v3plus", "resnet18", "train", false},
		{"deeplab-v2", "efficientnet-lite0", "frozen", true},
		{"deeplab-v1", "vgg16", "frozen", false},
		{"deeplab-v1", "wrn38", "frozen", true},
		{"mask2former", "resnet18", "head", true},
		{"mask2former", "swin_t", "head", false},
		{"vit-linear", "dinov2-s14-reg", "frozen", false},
		{"vit-mask", "clip-b16", "head", false},
	} {
		t.Run(c.arch+" "+c.backbone+" "+c.norm, func(t *testing.T) {
			cfg := configs.Default().Train
			cfg.Arch, cfg.Backbone, cfg.BatchNorm, cfg.Init, cfg.OutputStride, cfg.MSC, cfg.StrideIn = c.arch, c.backbone, c.norm, "", 8, false, "3x3"
			switch c.arch {
			case "mask2former":
				cfg.OutputStride = 32
			case "deeplab-v3plus":
				cfg.OutputStride = 16
			}
			err := checkStart(cfg)
			if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "train.network.batch_norm = \""+c.norm) {
				t.Errorf("error %v, refused should be %v", err, c.refused)
			}
			cfg.Init = "weights.pth"
			if err := checkStart(cfg); err != nil {
				t.Errorf("with weights: %v", err)
			}
		})
	}
}
