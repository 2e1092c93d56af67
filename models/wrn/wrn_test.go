package wrn

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
)

// TestStages: sizes and channels of the stages, and of all variables.
func TestStages(t *testing.T) {
	for _, c := range []struct {
		o    models.BackboneOptions
		want string
	}{
		{models.BackboneOptions{OutputStride: 8, Width: 0.25}, "[1 17 17 64] [1 9 9 128] [1 9 9 256] [1 9 9 1024]"},
		{models.BackboneOptions{OutputStride: 16, Width: 0.0625}, "[1 17 17 16] [1 9 9 32] [1 5 5 64] [1 5 5 256]"},
		{models.BackboneOptions{OutputStride: 32, Width: 0.0625, Dilation: models.DilateNone}, "[1 17 17 16] [1 9 9 32] [1 5 5 64] [1 3 3 256]"},
	} {
		got := ""
		store, err := layers.NewVariables(1, 65, func(scope *model.Scope, x *Node) []*Node {
			stages := Config{c.o}.Stages(layers.Net{}, scope, x)
			for i, s := range stages {
				got += fmt.Sprint(" ", s.Shape().Dimensions)
				if s.Shape().Dim(3) != (Config{c.o}).Channels(i) {
					t.Errorf("Channels(%d) = %d", i, (Config{c.o}).Channels(i))
				}
			}
			return stages[:]
		})
		if err != nil {
			t.Fatal(err)
		}
		if got = strings.TrimSpace(got); got != c.want {
			t.Errorf("%+v: %s, want %s", c.o, got, c.want)
		}
		if c.o.Width != 0.25 {
			continue
		}
		tensors, values := 0, 0
		for v := range store.IterVariables() {
			tensors++
			values += v.Shape().Size()
		}
		if tensors != 191 || values != 6_588_144 { // of PyTorch's network in models/deeplab/testdata/backbones.py
			t.Errorf("%d tensors of %d values", tensors, values)
		}
	}
}

func TestRename(t *testing.T) {
	for tensor, want := range map[string]string{
		"conv1a.weight": "conv1a.weight", "b2_1.conv_branch2a.weight": "b2_1.conv_branch2a.weight", "bn7.running_var": "bn7.running_var",
		"arg:conv1a_weight": "conv1a.weight", "arg:res2a_branch2a_weight": "b2.conv_branch2a.weight", "arg:res4b5_branch2b1_weight": "b4_5.conv_branch2b1.weight",
		"arg:bn2a_branch2a_gamma": "b2.bn_branch2a.weight", "arg:bn6a_branch2b2_beta": "b6.bn_branch2b2.bias", "aux:bn3b2_branch2b1_moving_mean": "b3_2.bn_branch2b1.running_mean",
		"arg:res5a_branch1_weight": "b5.conv_branch1.weight", "aux:bn7_moving_var": "bn7.running_var", "arg:bn7_gamma": "bn7.weight",
		"arg:linear1000_weight": "", "fc8.weight": "", "b8.conv_branch2a.weight": "", "layer1.0.conv1.weight": "",
	} {
		if got, ok := (Config{}).Rename(tensor); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", tensor, got, ok)
		}
	}
}

func TestRefuses(t *testing.T) {
	for want, o := range map[string]models.BackboneOptions{
		"output stride 4": {OutputStride: 4}, "after stage 4": {OutputStride: 8, CutAfter: 4}, "width -1": {OutputStride: 8, Width: -1},
	} {
		if _, err := models.BackboneByName("train.network.backbone", Name, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
