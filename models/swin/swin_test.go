package swin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/datatest"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/swin"
	"wsss/models/weights"
	"wsss/models/weights/weightstest"
)

// tiny is the network of testdata/gen_swin.py.
var tiny = swin.Config{Embed: 4, Depths: [4]int{2, 2, 2, 1}, Heads: [4]int{1, 2, 2, 4}, Window: 3}

func variables(t testing.TB, c swin.Config) *model.Store {
	t.Helper()
	store, err := layers.NewVariables(1, 33, func(scope *model.Scope, x *Node) []*Node {
		s := c.Stages(layers.Net{}, scope.At(models.BackboneScope), x)
		return s[:]
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func load(t testing.TB, c swin.Config, store *model.Store, src weights.Source) weights.Mapping {
	t.Helper()
	m, err := pretrained.Load(store.RootScope(), models.Adapt(c, src), func(tensor string) string {
		if c.Buffer(tensor) {
			return ""
		}
		return models.RenameTensor(c, tensor)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestParity: stages and gradients are those of transformers' SwinBackbone, for
// sides that patches and windows divide and others, and for maps smaller than a
// window; with blocks recomputed, too.
func TestParity(t *testing.T) {
	ref := weightstest.Open(t, "testdata/parity.safetensors")
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		store := variables(t, tiny)
		if m := load(t, tiny, store, weightstest.Open(t, "testdata/tiny.safetensors")); len(m.Missing)+len(m.Unused)+len(m.Differ) > 0 {
			t.Fatal(m)
		}
		check := func(name string, got *tensors.Tensor) {
			t.Helper()
			weightstest.Near(t, name, got, ref, name, 1)
		}
		for name, size := range map[string][2]int{"even": {64, 96}, "odd": {45, 67}} {
			out := model.MustCallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
				s := tiny.Stages(layers.Net{}, scope.At(models.BackboneScope), x)
				return s[:]
			}, weightstest.Picture(size[0], size[1]))
			for i, x := range out {
				check(fmt.Sprintf("stage%d.%s", i, name), x)
				if c := x.Shape().Dim(3); c != tiny.Channels(i) {
					t.Errorf("stage %d has %d channels, Channels says %d", i, c, tiny.Channels(i))
				}
			}
		}
		learn := []string{"layers.1.blocks.1.attn.qkv.weight", "layers.1.blocks.1.attn.relative_position_bias_table",
			"layers.0.downsample.reduction.weight", "patch_embed.proj.weight", "layers.3.blocks.0.mlp.fc1.bias"}
		for _, recompute := range []int{0, 1} {
			c := tiny
			c.Recompute = recompute
			grads := model.MustCallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
				store.SetTraining(x.Graph(), true)
				var loss *Node
				for i, s := range c.Stages(layers.Net{Training: true}, scope.At(models.BackboneScope), x) {
					line := make([]float32, c.Channels(i))
					for k := range line {
						line[k] = -1 + 2*float32(k)/float32(len(line)-1)
					}
					l := ReduceAllSum(Mul(s, ExpandLeftToRank(Const(x.Graph(), line), 4)))
					if loss == nil {
						loss = l
					} else {
						loss = Add(loss, l)
					}
				}
				var at []*Node
				for _, name := range learn {
					at = append(at, store.GetVariable("/backbone/"+strings.ReplaceAll(name, ".", "/")).NodeValue(x.Graph()))
				}
				return Gradient(loss, at...)
			}, weightstest.Picture(45, 67))
			for i, name := range learn {
				g, err := layers.ToTorch(grads[i])
				if err != nil {
					t.Fatal(err)
				}
				check("grad."+name, g)
			}
		}
	})
}

// TestNames: every tensor of the files of Hugging Face, timm and Microsoft goes
// to a variable, but for those of the classifier.
func TestNames(t *testing.T) {
	files := map[string]weightstest.Shaped{}
	datatest.JSON(t, "testdata/names.json", &files)
	made, err := models.BackboneByName("backbone", "swin_t", models.BackboneOptions{OutputStride: 32})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(swin.Config)
	wanted := weightstest.Shaped{}
	for name, v := range pretrained.Variables(variables(t, c).RootScope()) {
		wanted[name] = layers.TorchShape(v.Shape().Dimensions)
	}
	microsoft := weightstest.Shaped{"model.norm.weight": {768}, "model.head.weight": {1000, 768}, "model.layers.0.blocks.0.attn.relative_position_index": {49, 49}, "model.layers.0.blocks.1.attn_mask": {64, 49, 49}}
	for name, shape := range wanted {
		if name = strings.TrimPrefix(name, "backbone."); !strings.HasPrefix(name, "norm") {
			microsoft["model."+name] = shape
		}
	}
	files["microsoft"] = microsoft
	files["mask2former"] = weightstest.Shaped{"backbone.layers.3.blocks.1.attn.relative_position_index": {49, 49}}
	for name, shape := range wanted {
		files["mask2former"][name] = shape
	}
	for maker, unused := range map[string][]string{
		"huggingface": {"layernorm.bias", "layernorm.weight"}, "timm": {"head.fc.bias", "head.fc.weight", "norm.bias", "norm.weight"},
		"microsoft": {"model.head.weight", "model.norm.weight"}, "mask2former": nil,
	} {
		m, err := weights.Match(models.Adapt(c, files[maker]), wanted, func(tensor string) string {
			if c.Buffer(tensor) {
				return ""
			}
			return models.RenameTensor(c, tensor)
		})
		if err != nil {
			t.Fatal(err)
		}
		missing := slices.DeleteFunc(m.Missing, func(name string) bool { return maker != "mask2former" && strings.HasPrefix(name, "backbone.norm") })
		if len(missing)+len(m.Differ) > 0 || !slices.Equal(m.Unused, unused) {
			t.Errorf("%s: missing %v, differ %v, unused %v", maker, missing, m.Differ, m.Unused)
		}
	}
}

func TestLayouts(t *testing.T) {
	for name, want := range map[string]int{"swin_t": 768, "swin_s": 768, "swin_b": 1024, "swin_l": 1536, "swin_l_w7": 1536} {
		b, err := models.BackboneByName("backbone", name, models.BackboneOptions{})
		if err != nil || b.(swin.Config).Channels(3) != want {
			t.Errorf("%s: %+v (%v), want %d channels", name, b, err, want)
		}
	}
	half, err := models.BackboneByName("backbone", "swin_t", models.BackboneOptions{Width: 0.26})
	if err != nil || half.(swin.Config).Channels(0) != 24 {
		t.Errorf("width 0.26: %+v (%v)", half, err)
	}
	for _, o := range []models.BackboneOptions{{OutputStride: 16}, {DropPath: 1}, {CutAfter: 4}} {
		if _, err := models.BackboneByName("backbone", "swin_t", o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	for path, stage := range map[string]int{"patch_embed/proj/weight": 0, "layers/2/blocks/0/norm1/bias": 3, "norm3/weight": 4} {
		if got := tiny.Stage(path); got != stage {
			t.Errorf("%s is of stage %d, want %d", path, got, stage)
		}
	}
}
