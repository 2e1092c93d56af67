package configs_test

import (
	"strings"
	"sync"
	"testing"

	"wsss/configs"
	"wsss/models"
	_ "wsss/models/nets" // the networks, for the other tests of this folder, too
)

// registerToy adds a network once, however often the test runs.
var registerToy = sync.OnceFunc(func() {
	models.RegisterArchitecture("toy-net", models.Architecture{OutputStrides: []int{32}})
})

// The names that a key allows are those of the registry, a misspelt one is told
// the nearest, and another network's keys are its own.
func TestNamesComeFromTheRegistries(t *testing.T) {
	registerToy()
	for set, want := range map[string]string{
		"train.arch=deeplab-v3":     `train.arch = "deeplab-v3": allowed is one of deeplab-v2, deeplab-v3plus, deeplab-v3plus-multigrid, deeplab-v1, mask2former, vit-linear, vit-mask, toy-net; did you mean deeplab-v2?`,
		"train.backbone=resnet":     `train.backbone = "resnet": allowed is one of resnet18, resnet34, resnet50, resnet101`,
		"classifier.backbone=vgg19": `classifier.backbone = "vgg19": allowed is one of resnet18, resnet34, resnet50, resnet101`,
		"train.output_stride=32":    "train.output_stride = 32: allowed is 8 or 16",
		"train.arch=toy-net":        "train.network.output_stride = 8: allowed is 32",
	} {
		_, err := configs.Load("", []string{set})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", set, err, want)
		}
	}
	if _, err := configs.Load("", []string{"train.arch=toy-net", "train.output_stride=32"}); err != nil {
		t.Error(err)
	}
}
