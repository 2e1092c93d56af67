package train

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/configs"
	"wsss/models/layers"
	"wsss/train/optim"
)

// A network starts from a weight file; a head for other classes stays random.
func TestInitialise(t *testing.T) {
	cfg := configs.Default().Train
	cfg.Backbone, cfg.Width, cfg.MSC = "resnet18", 0.0625, false
	build := func(seed int64, classes int) *network {
		seg, err := NewSegmenter(cfg, classes)
		if err != nil {
			t.Fatal(err)
		}
		n, err := newNetwork(nil, seg, classes, seed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.probe(33); err != nil {
			t.Fatal(err)
		}
		return n
	}
	from := build(1, 3)
	values := map[string]*tensors.Tensor{}
	for v := range from.store.IterVariables() {
		if v.Path() == optim.RNGPath {
			continue
		}
		x, err := layers.ToTorch(v.MustValue())
		if err != nil {
			t.Fatal(err)
		}
		values[layers.TorchName("/", v.Path())] = x
	}
	cfg.Init = filepath.Join(t.TempDir(), "net.safetensors")
	if err := safetensors.WriteFile(cfg.Init, values, nil); err != nil {
		t.Fatal(err)
	}
	to, line := build(2, 5), ""
	if err := initialise(to, cfg, func(s string) { line = s }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(line, "another shape: aspp.c0.bias") {
		t.Errorf("log %q does not tell what was left out", line)
	}
	same := func(path string) bool {
		a, b := from.store.GetVariable(path).MustValue(), to.store.GetVariable(path).MustValue()
		return slices.Equal(tensors.MustCopyFlatData[float32](a), tensors.MustCopyFlatData[float32](b))
	}
	if !same("/backbone/layer4/1/conv2/weight") || same("/aspp/c0/weight") {
		t.Error("the backbone was not loaded, or the head was")
	}
	if sum, err := initHash(cfg.Init); len(sum) != 64 || err != nil {
		t.Errorf("hash of the initial weights: %q, %v", sum, err)
	}
	cfg.Init += ".absent"
	if sum, err := initHash(cfg.Init); sum != "" || err != nil {
		t.Errorf("hash of an absent file, which going on does not need: %q, %v", sum, err)
	}
	if err := initialise(to, cfg, nil); err == nil {
		t.Error("an absent file is accepted")
	}
}
