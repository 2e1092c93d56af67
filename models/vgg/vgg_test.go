package vgg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/weights/weightstest"
)

// TestStages: sizes and channels of the stages, and of all variables.
func TestStages(t *testing.T) {
	for _, c := range []struct {
		c    Config
		want string
	}{
		{Config{BackboneOptions: models.BackboneOptions{OutputStride: 8, Width: 0.25}}, "[1 17 17 64] [1 9 9 128] [1 9 9 128] [1 9 9 256]"},
		{Config{BackboneOptions: models.BackboneOptions{OutputStride: 8, CeilPool: true, Width: 0.0625}}, "[1 17 17 16] [1 9 9 32] [1 9 9 32] [1 9 9 64]"},
		{Config{BackboneOptions: models.BackboneOptions{OutputStride: 16, Width: 0.0625}, FC6: 4}, "[1 17 17 16] [1 9 9 32] [1 5 5 32] [1 5 5 64]"},
	} {
		got := ""
		store, err := layers.NewVariables(1, 65, func(scope *model.Scope, x *Node) []*Node {
			stages := c.c.Stages(layers.Net{}, scope, x)
			for _, s := range stages {
				got += fmt.Sprint(" ", s.Shape().Dimensions)
			}
			return stages[:]
		})
		if err != nil {
			t.Fatal(err)
		}
		if got = strings.TrimSpace(got); got != c.want {
			t.Errorf("%+v: %s, want %s", c.c, got, c.want)
		}
		if c.c.Width != 0.25 {
			continue
		}
		count, values := 0, 0
		for v := range store.IterVariables() {
			count++
			values += v.Shape().Size()
		}
		if count != 30 || values != 1_281_744 { // of PyTorch's network in models/deeplab/testdata/backbones.py
			t.Errorf("%d tensors of %d values", count, values)
		}
	}
}

// TestTorchvision: the names and shapes of torchvision's VGG-16 fill the network;
// of its fully connected layers every fourth channel and nine taps are left.
func TestTorchvision(t *testing.T) {
	const in = 3 // channels of conv5_3 here
	ramp := func(dims ...int) *tensors.Tensor {
		size := 1
		for _, d := range dims {
			size *= d
		}
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(i)
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	src := weightstest.Memory{
		"classifier.0.weight": ramp(4096, in*49), "classifier.0.bias": ramp(4096),
		"classifier.3.weight": ramp(4096, 4096), "classifier.3.bias": ramp(4096), "classifier.6.bias": ramp(1000),
	}
	a := Config{BackboneOptions: models.BackboneOptions{OutputStride: 8}}.Adapt(src)
	for name, want := range map[string][]int{
		"classifier.0.weight": {1024, in, 3, 3}, "classifier.0.bias": {1024}, "classifier.3.weight": {1024, 1024, 1, 1}, "classifier.6.bias": {1000},
	} {
		s, err := a.Shape(name)
		if err != nil || !slices.Equal(s, want) {
			t.Errorf("%s: shape %v, %v", name, s, err)
		}
		v, err := a.Tensor(name)
		if err != nil || !slices.Equal(v.Shape().Dimensions, want) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	v, _ := a.Tensor("classifier.0.weight")
	flat := tensors.MustCopyFlatData[float32](v)
	// Channel 1 is the file's 4; input 2; tap (1, 2) is the file's (3, 6).
	if got, want := flat[(1*in+2)*9+5], float32((4*in+2)*49+3*7+6); got != want {
		t.Errorf("fc6 has %v, want %v", got, want)
	}
	v, _ = a.Tensor("classifier.3.weight")
	if got := tensors.MustCopyFlatData[float32](v)[2*1024+3]; got != 8*4096+12 {
		t.Errorf("fc7 has %v", got)
	}
	if own, ok := (Config{}).Rename("features.28.bias"); !ok || own != "conv5_3.bias" {
		t.Errorf("features.28: %s", own)
	}
}

// TestLoad: a file with Caffe's names fills a narrow network.
func TestLoad(t *testing.T) {
	c := Config{BackboneOptions: models.BackboneOptions{OutputStride: 8, Width: 1.0 / 64}}
	store, err := layers.NewVariables(1, 33, func(scope *model.Scope, x *Node) []*Node {
		s := c.Stages(layers.Net{}, scope.At(models.BackboneScope), x)
		return s[:]
	})
	if err != nil {
		t.Fatal(err)
	}
	state, err := pretrained.StateDict(store.RootScope())
	if err != nil {
		t.Fatal(err)
	}
	src := weightstest.Memory{}
	for name, v := range state {
		src[strings.TrimPrefix(name, models.BackboneScope+".")] = v
	}
	m, err := pretrained.Load(store.RootScope(), models.Adapt(c, src), func(name string) string { return models.RenameTensor(c, name) })
	if err != nil || len(m.Pairs) != 30 || len(m.Unused)+len(m.Missing) > 0 {
		t.Errorf("%v: %s", err, m)
	}
}

func TestRefuses(t *testing.T) {
	for want, o := range map[string]models.BackboneOptions{
		"output stride 32": {OutputStride: 32}, "after stage -1": {OutputStride: 8, CutAfter: -1}, "width 17": {OutputStride: 8, Width: 17},
	} {
		if _, err := models.BackboneByName("train.network.backbone", Name, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
