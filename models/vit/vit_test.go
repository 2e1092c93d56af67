package vit

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights"
	"wsss/models/weights/weightstest"
)

// testdata/gen_vit.py wrote the files with transformers and timm.
func open(t testing.TB, name string) weights.Source {
	t.Helper()
	return weightstest.Open(t, "testdata/"+name)
}

// texts are what OpenAI's CLIP has beside the tower of images.
var texts = regexp.MustCompile(`^(transformer\.resblocks\.|token_embedding\.|positional_embedding$|ln_final\.|text_projection$|logit_scale$|visual\.proj$|input_resolution$)`)

// load is the network of a file, of two heads.
func load(t testing.TB, name string) (Config, *model.Store) {
	t.Helper()
	c, store, m, err := FromFile(open(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if unused := slices.DeleteFunc(m.Unused, func(n string) bool { return strings.HasSuffix(n, "mask_token") || texts.MatchString(n) }); len(m.Missing)+len(m.Differ)+len(unused) > 0 {
		t.Fatalf("%s: %s", name, m)
	}
	c.Heads = 2
	return c, store
}

// run calls a graph function of a network and a picture.
func run(t testing.TB, b compute.Backend, store *model.Store, h, w int, fn func(scope *model.Scope, x *Node) []*Node) []*tensors.Tensor {
	t.Helper()
	exec, err := model.NewExec(b, store, fn)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(weightstest.Picture(h, w))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tokens are class, registers and patches in the order of transformers.
func tokens(c Config) func(scope *model.Scope, x *Node) []*Node {
	return func(scope *model.Scope, x *Node) []*Node {
		out := c.Tokens(layers.Net{}, scope, x)
		all := []*Node{InsertAxes(out.Class, 1)}
		if out.Registers != nil {
			all = append(all, out.Registers)
		}
		return []*Node{Concatenate(append(all, Reshape(out.Patches, 1, -1, c.Width)), 1)}
	}
}

// quick tells XLA without WSSS_VERIFY.
func quick(b compute.Backend) bool {
	return backend.KindOf(b) == backend.XLA && os.Getenv("WSSS_VERIFY") == ""
}

// TestParity: tokens within 1e-4 of those of transformers and timm from the same
// weights, by the names of each, for the size of the positions, larger and
// smaller ones.
func TestParity(t *testing.T) {
	ref := open(t, "parity.safetensors")
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		for file, sizes := range map[string][]string{
			"dinov2.safetensors": {"same", "wide", "small"}, "registers.safetensors": {"same", "wide", "small"}, "vit.safetensors": {"same", "wide", "small"},
			"facebook.pth": {"same", "wide"}, "clip.safetensors": {"wide"}, "openai.pt": {"wide"}, "timm.safetensors": {"wide"},
		} {
			if quick(b) { // one graph a network: compiling takes seconds
				if sizes = []string{"wide"}; file == "facebook.pth" || file == "openai.pt" || file == "vit.safetensors" || file == "timm.safetensors" {
					continue
				}
			}
			c, store := load(t, file)
			kind, _, _ := strings.Cut(file, ".")
			for _, size := range sizes {
				key := kind + "." + size
				if kind == "facebook" {
					key = "registers." + size // the same network by other names
				}
				if kind == "openai" {
					key = "clip." + size
				}
				if kind == "timm" {
					c.Antialias = true // as its resample_abs_pos_embed
				}
				at := map[string][2]int{"same": {5, 5}, "wide": {4, 9}, "small": {2, 3}}[size]
				out := run(t, b, store, at[0]*c.Patch, at[1]*c.Patch, tokens(c))
				weightstest.Near(t, kind+" "+size, out[0], ref, key, 1e-3)
			}
		}
	})
}

// TestGradients: within 1e-4 of PyTorch's, with and without recomputing.
func TestGradients(t *testing.T) {
	ref := open(t, "parity.safetensors")
	names := []string{"pos_embed", "patch_embed.proj.weight", "register_tokens", "blocks.0.ls1.gamma", "blocks.0.norm1.weight", "blocks.0.attn.qkv.weight", "blocks.1.mlp.fc1.weight"}
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		for _, recompute := range []int{1, 0} {
			if recompute == 0 && quick(b) {
				break
			}
			c, store := load(t, "registers.safetensors")
			c.Recompute = recompute
			grads := run(t, b, store, 28, 42, func(scope *model.Scope, x *Node) []*Node {
				out := c.Tokens(layers.Net{Training: true}, scope, x)
				all := Concatenate([]*Node{InsertAxes(out.Class, 1), out.Registers, Reshape(out.Patches, 1, -1, c.Width)}, 1)
				var vars []*Node
				for _, name := range names {
					vars = append(vars, store.GetVariable("/"+strings.ReplaceAll(name, ".", "/")).NodeValue(x.Graph()))
				}
				return Gradient(ReduceAllMean(Square(all)), vars...)
			})
			for i, name := range names {
				g, err := layers.ToTorch(grads[i])
				if err != nil {
					t.Fatal(err)
				}
				weightstest.Near(t, name, g, ref, "grad."+name, 1e-3)
			}
		}
	})
}

// TestAnySize: an image of no whole number of patches is that with zeros at its
// right and bottom.
func TestAnySize(t *testing.T) {
	c, store := load(t, "registers.safetensors")
	b := backendtest.One(t)
	for _, size := range [][2]int{{20, 31}, {1, 1}, {7, 8}} {
		out := run(t, b, store, size[0], size[1], func(scope *model.Scope, x *Node) []*Node {
			h, w := c.Size(size[0], size[1])
			padded := Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{End: h*c.Patch - size[0]}, PadAxis{End: w*c.Patch - size[1]}, PadAxis{})
			return []*Node{c.Features(scope, x, 0), c.Features(scope, padded, 0)}
		})
		if h, w := c.Size(size[0], size[1]); !slices.Equal(out[0].Shape().Dimensions, []int{1, h, w, c.Width}) || !out[0].InDelta(out[1], 1e-6) {
			t.Errorf("%v: %s", size, out[0].Shape())
		}
	}
}

// TestRegrid: a file's embeddings are resized to the network's grid as timm does.
func TestRegrid(t *testing.T) {
	c, _ := load(t, "dinov2.safetensors")
	c.Grid = 3
	store, err := c.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(store.RootScope(), open(t, "dinov2.safetensors"), c); err != nil {
		t.Fatal(err)
	}
	whole, wholeStore := load(t, "dinov2.safetensors")
	whole.Antialias = true
	b := backendtest.One(t)
	got := run(t, b, store, 21, 21, tokens(c))[0]
	want := run(t, b, wholeStore, 21, 21, tokens(whole))[0]
	if !got.InDelta(want, 1e-4) {
		t.Error("resized on loading, the embeddings differ from those resized in the graph")
	}
}

// part of a weight file, kept in memory.
type fake map[string][]int

func (f fake) Names() []string {
	return slices.Sorted(maps.Keys(f))
}
func (f fake) Shape(name string) ([]int, error) { return f[name], nil }
func (f fake) Tensor(name string) (*tensors.Tensor, error) {
	return tensors.FromFlatDataAndDimensions(make([]float32, size(f[name])), f[name]...), nil
}
func (f fake) Close() error { return nil }

func TestBadFiles(t *testing.T) {
	good := func() fake {
		return fake{"cls_token": {1, 1, 64}, "pos_embed": {1, 10, 64}, "patch_embed.proj.weight": {64, 3, 4, 4}, "patch_embed.proj.bias": {64}, "norm.weight": {64}, "norm.bias": {64},
			"blocks.0.norm1.weight": {64}, "blocks.0.norm1.bias": {64}, "blocks.0.norm2.weight": {64}, "blocks.0.norm2.bias": {64}, "blocks.0.attn.qkv.weight": {192, 64}, "blocks.0.attn.qkv.bias": {192},
			"blocks.0.attn.proj.weight": {64, 64}, "blocks.0.attn.proj.bias": {64}, "blocks.0.mlp.fc1.weight": {128, 64}, "blocks.0.mlp.fc1.bias": {128}, "blocks.0.mlp.fc2.weight": {64, 128}, "blocks.0.mlp.fc2.bias": {64}}
	}
	for _, c := range []struct {
		name   string
		change func(f fake)
		want   string
	}{
		{"whole", func(fake) {}, ""},
		{"a ResNet", func(f fake) { clear(f); f["conv1.weight"] = []int{64, 3, 7, 7} }, "not a ViT"},
		{"positions", func(f fake) { f["pos_embed"] = []int{1, 12, 64} }, "12 position embeddings"},
		{"no norm", func(f fake) { delete(f, "norm.bias") }, "lacks 1 variables of the network: norm.bias"},
		{"another width", func(f fake) { f["norm.weight"] = []int{65} }, `tensor "norm.weight" has shape [65], not [64]`},
		{"SwiGLU", func(f fake) { f["blocks.0.mlp.w12.weight"] = []int{128, 64} }, "gated MLP"},
		{"half a kernel", func(f fake) {
			delete(f, "blocks.0.attn.qkv.weight")
			f["layers.0.attention.q_proj.weight"] = []int{64, 64}
		}, "not a ViT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			c.change(f)
			_, _, _, err := FromFile(f)
			if c.want == "" && err == nil {
				return
			}
			if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestRename(t *testing.T) {
	for tensor, want := range map[string]string{
		"encoder.layer.3.attention.attention.{query,key,value}.weight": "blocks.3.attn.qkv.weight",
		"dinov2.encoder.layer.11.mlp.fc1.bias":                         "blocks.11.mlp.fc1.bias",
		"vision_model.encoder.layers.2.self_attn.out_proj.weight":      "blocks.2.attn.proj.weight",
		"visual.transformer.resblocks.4.attn.in_proj_bias":             "blocks.4.attn.qkv.bias",
		"visual.positional_embedding":                                  "pos_embed",
		"positional_embedding":                                         "positional_embedding", // of texts
		"transformer.resblocks.4.ln_1.weight":                          "transformer.resblocks.4.ln_1.weight",
		"text_model.encoder.layers.2.self_attn.out_proj.weight":        "text_model.encoder.layers.2.self_attn.out_proj.weight",
		"teacher.backbone.blocks.1.7.ls2.gamma":                        "blocks.7.ls2.gamma",
		"visual.trunk.blocks.0.norm1.weight":                           "blocks.0.norm1.weight",
		"vit.encoder.layer.0.intermediate.dense.weight":                "blocks.0.mlp.fc1.weight",
		"vit.encoder.layer.0.output.dense.weight":                      "blocks.0.mlp.fc2.weight",
		"head.weight": "head.weight",
	} {
		if got := Rename(tensor); got != want {
			t.Errorf("%s is %s, want %s", tensor, got, want)
		}
	}
}
