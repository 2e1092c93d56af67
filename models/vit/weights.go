package vit

import (
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/weights"
)

// Open gives the tensors of a weight file the shapes of a network of c: kernels
// of query, key and value are joined, tokens have three axes, position
// embeddings begin with that of the class token, and those for another grid than
// c's are resized, bicubically with antialiasing. c may be the zero Config: then
// no embedding is resized. Closing it closes src.
func Open(src weights.Source, c Config) weights.Source {
	return &source{Source: weights.Joined(src, part), grid: c.Grid}
}

type source struct {
	weights.Source
	grid int // 0 = the file's
}

// Shape is weights.Source's.
func (s *source) Shape(name string) ([]int, error) {
	d, err := s.Source.Shape(name)
	if err != nil || len(d) == 0 {
		return d, err
	}
	width := d[len(d)-1]
	switch Rename(name) {
	case "cls_token", "register_tokens":
		return []int{1, size(d) / max(width, 1), width}, nil
	case "pos_embed":
		grid, _, ok := gridOf(size(d) / max(width, 1))
		if !ok {
			return d, nil
		}
		if s.grid > 0 {
			grid = s.grid
		}
		return []int{1, 1 + grid*grid, width}, nil
	}
	return d, nil
}

// Tensor is weights.Source's.
func (s *source) Tensor(name string) (*tensors.Tensor, error) {
	t, err := s.Source.Tensor(name)
	if err != nil {
		return nil, err
	}
	want, err := s.Shape(name)
	if err != nil || slices.Equal(t.Shape().Dimensions, want) {
		return t, err
	}
	if t, err = weights.Float32(t); err != nil {
		return nil, err
	}
	flat, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	if Rename(name) == "pos_embed" {
		flat = regrid(flat, want[2], int(math.Sqrt(float64(want[1]-1))))
	}
	return tensors.FromFlatDataAndDimensions(flat, want...), nil
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// gridOf is the side of the square of patches among position embeddings, and
// whether one of the class token comes before it. timm's networks with registers
// have none: it is part of the token.
func gridOf(tokens int) (side int, class, ok bool) {
	for before := range 2 {
		if side = int(math.Round(math.Sqrt(float64(tokens - before)))); side > 0 && side*side == tokens-before {
			return side, before == 1, true
		}
	}
	return 0, false, false
}

// regrid gives position embeddings a first row, 0 where they have none, and
// resizes the others to side×side.
func regrid(flat []float32, width, side int) []float32 {
	from, class, _ := gridOf(len(flat) / width)
	out := make([]float32, (1+side*side)*width)
	if class {
		copy(out, flat[:width])
		flat = flat[width:]
	}
	if from == side {
		copy(out[width:], flat)
		return out
	}
	m := layers.CubicWeights(from, side, true)
	rows := make([]float32, side*from*width) // [side, from, width]
	for y := range side {
		for v := range from {
			accumulate(rows[y*from*width:(y+1)*from*width], flat[v*from*width:], m[y*from+v])
		}
	}
	for y := range side {
		for x := range side {
			for u := range from {
				accumulate(out[(1+y*side+x)*width:][:width], rows[(y*from+u)*width:], m[x*from+u])
			}
		}
	}
	return out
}

// accumulate adds f times src to dst.
func accumulate(dst, src []float32, f float32) {
	for i := range dst {
		dst[i] += f * src[i]
	}
}

// Detect reads the layout off the shapes of a weight file's tensors; ok is false
// for a file of another network. What shapes do not tell is as the authors of
// the names have it: heads are 64 wide, and CLIP of OpenAI and Hugging Face
// has QuickGELU.
func Detect(src weights.Source) (c Config, ok bool, err error) {
	file, shape, plain := Open(src, Config{}), map[string][]int{}, false
	for _, tensor := range file.Names() {
		name := Rename(tensor)
		if shape[name], err = file.Shape(tensor); err != nil {
			return c, false, err
		}
		plain = plain || strings.HasSuffix(tensor, "norm_pre.weight") // timm's name
	}
	dim := func(name string, axis int) int {
		if s := shape[name]; axis < len(s) {
			return s[axis]
		}
		return 0
	}
	if dim("patch_embed.proj.weight", 3) == 0 || shape["blocks.0.attn.qkv.weight"] == nil {
		return c, false, nil
	}
	c = Config{Width: dim("patch_embed.proj.weight", 0), Patch: dim("patch_embed.proj.weight", 2), Hidden: dim("blocks.0.mlp.fc1.weight", 0),
		Registers: dim("register_tokens", 1), LayerScale: shape["blocks.0.ls1.gamma"] != nil, PreNorm: shape["norm_pre.weight"] != nil, Epsilon: 1e-6}
	c.Antialias = c.Registers > 0
	if c.PreNorm {
		c.Epsilon, c.QuickGELU = 1e-5, !plain
	}
	for shape[fmt.Sprintf("blocks.%d.attn.qkv.weight", c.Depth)] != nil {
		c.Depth++
	}
	c.Heads = max(c.Width/headWidth, 1)
	if c.Grid, _, ok = gridOf(dim("pos_embed", 1)); !ok {
		return c, false, fmt.Errorf("a ViT with %d position embeddings: wanted is a square of patches, with or without a class token", dim("pos_embed", 1))
	}
	if shape["blocks.0.mlp.w12.weight"] != nil || shape["blocks.0.mlp.gate_proj.weight"] != nil || shape["blocks.0.mlp.weights_in.weight"] != nil {
		return c, false, fmt.Errorf("a ViT with a gated MLP (SwiGLU, as ViT-g has): known are ViT-S, B and L, with fc1 and fc2")
	}
	if err := c.Check(); err != nil {
		return c, false, err
	}
	return c, true, nil
}

// Load fills the variables of a network of c below scope, which must exist, from
// a weight file. All of them have to be there; the mapping tells what was not
// used.
func Load(scope *model.Scope, src weights.Source, c Config) (weights.Mapping, error) {
	variables, wanted := map[string]*model.Variable{}, map[string][]int{}
	for v := range scope.IterVariables() {
		name := layers.TorchName(scope.Scope(), v.Path())
		variables[name], wanted[name] = v, layers.TorchShape(v.Shape().Dimensions)
	}
	file := Open(src, c)
	m, err := weights.Match(file, wanted, Rename)
	if err != nil {
		return m, err
	}
	for _, p := range m.Differ {
		return m, fmt.Errorf("tensor %q has shape %v, not %v as %s of the network", p.Tensor, p.Shape, p.Want, p.Variable)
	}
	if len(variables) == 0 || len(m.Missing) > 0 {
		return m, fmt.Errorf("the file lacks %d variables of the network: %s; it has %d tensors of other names: %s",
			len(m.Missing), weights.Some(m.Missing), len(m.Unused), weights.Some(m.Unused))
	}
	return m, pretrained.Fill(file, m.Pairs, variables)
}

// FromFile builds the network of a weight file, with its weights.
func FromFile(src weights.Source) (Config, *model.Store, weights.Mapping, error) {
	c, ok, err := Detect(src)
	if err == nil && !ok {
		err = fmt.Errorf("not a ViT: no tensor is patch_embed.proj.weight or blocks.0.attn.qkv.weight, by the names of timm, dinov2, Hugging Face or OpenAI")
	}
	if err != nil {
		return c, nil, weights.Mapping{}, err
	}
	store, err := c.Build(0)
	if err != nil {
		return c, nil, weights.Mapping{}, err
	}
	m, err := Load(store.RootScope(), src, c)
	return c, store, m, err
}

// Features is Tokens for inference: the patches of normalised images [batch,
// height, width, 3] behind block, counted from 1; 0 is the last one, and its
// norm. [batch, h, w, Width].
func (c Config) Features(scope *model.Scope, images *Node, block int) *Node {
	t := c.Tokens(layers.Net{}, scope, images)
	if block == 0 {
		return t.Patches
	}
	return c.Map(t.Blocks[block-1], t.Patches.Shape().Dim(1), t.Patches.Shape().Dim(2))
}
