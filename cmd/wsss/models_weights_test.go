package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

func TestInspectWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "half.safetensors")
	values := map[string]*tensors.Tensor{"conv1.weight": tensors.FromFlatDataAndDimensions([]float32{1}, 1, 1, 1, 1)}
	if err := safetensors.WriteFile(path, values, nil); err != nil {
		t.Fatal(err)
	}
	err := runModelsInspect(context.Background(), []string{"-set", "train.network.backbone=resnet18", "-set", "train.network.width=0.0625", path})
	if err == nil || !strings.Contains(err.Error(), "half.safetensors: train.network.init would refuse it") {
		t.Errorf("error %v", err)
	}
	src, err := formats.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out bytes.Buffer
	m := weights.Mapping{Unused: []string{"conv1.weight"}, Missing: []string{"backbone.conv1.weight"},
		Pairs: []weights.Pair{{Tensor: "a", Variable: "b", Shape: []int{2}}}, Differ: []weights.Pair{{Tensor: "c", Variable: "d"}}}
	if err := m.WriteText(&out, src); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a ", "[2]", "not d, which has another shape", "[1 1 1 1]  unused", "not in the file"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %q", out.String(), want)
		}
	}
}
