package vitseg

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/safetensors"
	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/pretrained"
)

// small is a network of one head's width.
func small(t testing.TB, change func(*configs.Train)) *network {
	t.Helper()
	c := configs.Default().Train
	c.Arch, c.Backbone, c.Width, c.MSC, c.OutputStride = Linear, "dinov2-s14-reg", 1./6, false, 16
	if change != nil {
		change(&c)
	}
	net, err := models.NewSegmenter(c, 3)
	if err != nil {
		t.Fatal(err)
	}
	return net.(*network)
}

func noise(dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Sin(float64(i * i % 1009))) // the same on every machine
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// TestLogits: a quarter of the sides of any image; every variable of the head
// learns, those of a frozen backbone do not.
func TestLogits(t *testing.T) {
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		for _, arch := range []string{Linear, Mask} {
			net := small(t, func(c *configs.Train) { c.Arch, c.Frozen = arch, true })
			store, err := layers.NewVariables(1, 28, func(scope *model.Scope, x *Node) []*Node { return net.Logits(scope, x, false) })
			if err != nil {
				t.Fatal(err)
			}
			var head []string
			for v := range store.IterVariables() {
				if !strings.HasPrefix(v.Path(), "/#") && net.Group(v.Path()) == models.GroupHead {
					head = append(head, v.Path())
				} else if strings.HasPrefix(v.Path(), "/backbone/") != (net.Group(v.Path()) == models.GroupFrozen) {
					t.Errorf("%s is of group %d", v.Path(), net.Group(v.Path()))
				}
			}
			for _, size := range [][2]int{{28, 28}, {33, 50}} {
				exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
					y := net.Logits(scope, x, true)[0]
					var vars []*Node
					for _, path := range head {
						vars = append(vars, store.GetVariable(path).NodeValue(x.Graph()))
					}
					return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, Square(y))), vars...)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := exec.Call(noise(2, size[0], size[1], 3))
				exec.Finalize()
				if err != nil {
					t.Fatal(err)
				}
				if want := []int{2, (size[0] + 3) / 4, (size[1] + 3) / 4, 3}; !slices.Equal(out[0].Shape().Dimensions, want) {
					t.Errorf("%s of %v: logits %s, want %v", arch, size, out[0].Shape(), want)
				}
				for i, path := range head {
					if g := tensors.MustCopyFlatData[float32](out[i+1]); !slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
						t.Errorf("%s: %s learns nothing", arch, path)
					}
				}
			}
		}
	})
}

// TestEnlarge: each pixel of the logits is what lies at its place in the image.
func TestEnlarge(t *testing.T) {
	net := small(t, nil)
	b := backendtest.One(t)
	const h, w = 40, 51 // of 3 × 4 patches of 14 pixels
	ramp := make([]float32, 3*4)
	for i := range ramp {
		ramp[i] = float32(10*(i/4) + i%4)
	}
	out := MustNewExec(b, func(x *Node) *Node { return net.enlarge(x, h, w) }).MustCall(tensors.FromFlatDataAndDimensions(ramp, 1, 3, 4, 1))[0]
	got := tensors.MustCopyFlatData[float32](out)
	at := func(i, n, side, last int) float64 {
		return min(max((float64(i)+0.5)*float64(side)/float64(n)/14-0.5, 0), float64(last))
	}
	for y := range 10 {
		for x := range 13 {
			if want := 10*at(y, 10, h, 2) + at(x, 13, w, 3); math.Abs(float64(got[y*13+x])-want) > 1e-4 {
				t.Fatalf("logit %d, %d is %g, want %g", y, x, got[y*13+x], want)
			}
		}
	}
}

// TestFeatures: what Features gives may stand for the images.
func TestFeatures(t *testing.T) {
	for _, arch := range []string{Linear, Mask} {
		net := small(t, func(c *configs.Train) { c.Arch, c.Frozen = arch, true })
		b := backendtest.One(t)
		store := model.NewStore()
		exec := model.MustNewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
			return []*Node{net.Logits(scope, x, false)[0], net.Logits(scope, net.Features(scope, x), false)[0]}
		})
		out := exec.MustCall(noise(1, 28, 42, 3))
		if !out[0].InDelta(out[1], 1e-5) {
			t.Errorf("%s: logits of features differ from those of the image", arch)
		}
		exec.Finalize()
	}
}

// TestInit: a network starts from a file by Hugging Face's names, positions for
// another grid are resized, and the head stays as it was.
func TestInit(t *testing.T) {
	net := small(t, nil)
	build := func(seed int64, grid int) *model.Store {
		n := *net
		n.vit.Grid = grid
		store, err := layers.NewVariables(seed, 28, func(scope *model.Scope, x *Node) []*Node { return n.Logits(scope, x, false) })
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	from, to := build(1, 5), build(2, 37)
	state, err := pretrained.StateDict(from.RootScope())
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]*tensors.Tensor{}
	for name, v := range state {
		name = strings.TrimPrefix(name, "backbone.")
		if strings.HasPrefix(name, "head") || strings.HasPrefix(name, "#") {
			continue
		}
		name = strings.NewReplacer("blocks.", "encoder.layer.", "attn.proj", "attention.output.dense", "gamma", "lambda1", "ls1", "layer_scale1", "ls2", "layer_scale2",
			"patch_embed.proj", "embeddings.patch_embeddings.projection", "pos_embed", "embeddings.position_embeddings", "cls_token", "embeddings.cls_token", "register_tokens", "embeddings.register_tokens").Replace(name)
		if rest, ok := strings.CutPrefix(name, "norm."); ok {
			name = "layernorm." + rest
		}
		if !strings.Contains(name, "attn.qkv") {
			file[name] = v
			continue
		}
		flat, d := tensors.MustCopyFlatData[float32](v), v.Shape().Dimensions
		for i, part := range []string{"query", "key", "value"} {
			file[strings.Replace(name, "attn.qkv", "attention.attention."+part, 1)] = tensors.FromFlatDataAndDimensions(flat[i*len(flat)/3:(i+1)*len(flat)/3], append([]int{d[0] / 3}, d[1:]...)...)
		}
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := safetensors.WriteFile(path, file, nil); err != nil {
		t.Fatal(err)
	}
	head := tensors.MustCopyFlatData[float32](to.GetVariable("/head/weight").MustValue())
	m, err := pretrained.Init(net, to.RootScope(), configs.Train{TrainNetwork: configs.TrainNetwork{Init: path}})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Unused) > 0 || !slices.Equal(m.Missing, []string{"head.bias", "head.weight"}) {
		t.Errorf("%s", m)
	}
	for _, at := range []string{"/backbone/blocks/3/attn/qkv/weight", "/backbone/blocks/11/ls2/gamma", "/backbone/patch_embed/proj/weight"} {
		a, b := from.GetVariable(at).MustValue(), to.GetVariable(at).MustValue()
		if !a.InDelta(b, 0) {
			t.Errorf("%s was not loaded", at)
		}
	}
	if !slices.Equal(head, tensors.MustCopyFlatData[float32](to.GetVariable("/head/weight").MustValue())) {
		t.Error("the head was changed")
	}
}

// TestInitRefused: files of other networks are told by what to change.
func TestInitRefused(t *testing.T) {
	net := small(t, nil)
	var zero, nan []float32
	c := net.vit.Width
	zero, nan = make([]float32, c*3*32*32), make([]float32, c)
	nan[2] = float32(math.NaN())
	for name, r := range map[string]struct {
		change func(file map[string]*tensors.Tensor, t *configs.Train)
		want   string
	}{
		"another patch": {func(f map[string]*tensors.Tensor, _ *configs.Train) {
			f["backbone.patch_embed.proj.weight"] = tensors.FromFlatDataAndDimensions(zero, c, 3, 32, 32)
		}, fmt.Sprintf("has shape [%d 3 32 32], backbone.patch_embed.proj.weight of the network [%d 3 14 14]: check train.network.backbone", c, c)},
		"positions of no square": {func(f map[string]*tensors.Tensor, _ *configs.Train) {
			f["backbone.pos_embed"] = tensors.FromFlatDataAndDimensions(zero[:141*c], 1, 141, c)
		}, fmt.Sprintf("has shape [1 141 %d]", c)},
		"no numbers": {func(f map[string]*tensors.Tensor, _ *configs.Train) {
			f["backbone.norm.bias"] = tensors.FromFlatDataAndDimensions(nan, c)
		}, fmt.Sprintf(`tensor "backbone.norm.bias": value 2 of %d is not finite`, c)},
		"a part": {func(f map[string]*tensors.Tensor, _ *configs.Train) { delete(f, "backbone.blocks.3.norm1.bias") },
			"the file lacks 1 variables of the backbone: backbone.blocks.3.norm1.bias"},
		"another network": {func(f map[string]*tensors.Tensor, _ *configs.Train) {
			clear(f)
			f["layer1.0.conv1.weight"] = tensors.FromFlatDataAndDimensions(nan, c)
		}, "it has 1 tensors of other names: layer1.0.conv1.weight. Is it of another train.network.backbone?"},
		"Caffe's colours": {func(_ map[string]*tensors.Tensor, t *configs.Train) { t.Input = "caffe" }, `train.network.input = "torch", "tf" or "clip", not "caffe"`},
	} {
		store, err := layers.NewVariables(1, 28, func(scope *model.Scope, x *Node) []*Node { return net.Logits(scope, x, false) })
		if err != nil {
			t.Fatal(err)
		}
		state, err := pretrained.StateDict(store.RootScope())
		if err != nil {
			t.Fatal(err)
		}
		file := maps.Clone(state)
		maps.DeleteFunc(file, func(name string, _ *tensors.Tensor) bool { return strings.HasPrefix(name, "#") })
		cfg := configs.Train{TrainNetwork: configs.TrainNetwork{Init: filepath.Join(t.TempDir(), "model.safetensors")}}
		r.change(file, &cfg)
		if err := safetensors.WriteFile(cfg.Init, file, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := pretrained.Init(net, store.RootScope(), cfg); err == nil || !strings.Contains(err.Error(), r.want) || !strings.Contains(err.Error(), cfg.Init) {
			t.Errorf("%s: error %v, want the file and %q", name, err, r.want)
		}
	}
}

func TestLayers(t *testing.T) {
	net := small(t, nil)
	for path, want := range map[string]int{"/backbone/patch_embed/proj/weight": 0, "/backbone/pos_embed": 0, "/backbone/blocks/0/norm1/bias": 1, "/backbone/blocks/11/mlp/fc1/weight": 12, "/backbone/norm/weight": 12, "/head/weight": 13} {
		if got := net.Layer(path); got != want {
			t.Errorf("%s is of layer %d, want %d", path, got, want)
		}
	}
	if net.Layers() != 13 {
		t.Errorf("%d layers", net.Layers())
	}
}

func TestRefused(t *testing.T) {
	c := configs.Default().Train
	c.MSC, c.OutputStride = false, 16
	for _, r := range []struct {
		change func(*configs.Train)
		want   string
	}{
		{func(c *configs.Train) { c.Arch, c.Backbone = Linear, "resnet18" }, "allowed is a plain transformer, one of clip-b16"},
	} {
		c := c
		r.change(&c)
		if _, err := models.NewSegmenter(c, 3); err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("error %v, want %q", err, r.want)
		}
	}
	if _, err := models.BackboneByName("train.network.backbone", "vit-s16", models.BackboneOptions{}); err == nil || !strings.Contains(err.Error(), "vit-linear") {
		t.Errorf("as a backbone with stages: %v", err)
	}
}
