// Package vit builds plain vision transformers: DINOv2 with and without
// registers, the ViT of timm, and CLIP's image tower. Variables have the names of
// timm and of Facebook's dinov2 (blocks.3.attn.qkv.weight, …); Open reads files
// of those, of Hugging Face and of OpenAI.
//
// An image of any size gives a map of one token per patch: what is missing to a
// whole patch at the right and at the bottom is padded with zeros, the mean
// colour of normalised images.
package vit

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// Config is the layout of one network.
type Config struct {
	Width  int // channels of a token
	Depth  int // blocks
	Heads  int // of an attention
	Hidden int // channels inside a block's MLP
	Patch  int // side of a patch in pixels
	Grid   int // patches along a side of the images that the position embeddings are for

	Registers  int  // tokens beside class and patches, without a position
	LayerScale bool // factors per channel behind attention and MLP
	// PreNorm is CLIP's: a norm before the first block, and patches without a bias.
	PreNorm   bool
	QuickGELU bool // OpenAI's approximation
	// Antialias: position embeddings for fewer patches than Grid are means over
	// those that a patch covers; else they are sampled.
	Antialias bool
	Epsilon   float64 // of the norms

	// DropPath is the chance that training leaves out the last block of an image,
	// less for earlier ones.
	DropPath float64
	// Recompute, if not 0, is how many blocks the backward pass computes again
	// together instead of keeping what is inside them.
	Recompute int
}

// weightStd is the deviation of initial weights, timm's and dinov2's.
const weightStd = 0.02

// headWidth is the width of a head of all published networks.
const headWidth = 64

// Check tells what is wrong with c.
func (c Config) Check() error {
	switch {
	case c.Width < 1 || c.Depth < 1 || c.Heads < 1 || c.Width%c.Heads != 0:
		return fmt.Errorf("a ViT of width %d, %d blocks and %d heads: wanted are positive numbers, the heads dividing the width", c.Width, c.Depth, c.Heads)
	case c.Hidden < 1 || c.Patch < 1 || c.Grid < 1 || c.Registers < 0:
		return fmt.Errorf("a ViT of MLP width %d, patch %d, %d×%d positions and %d registers: wanted are positive numbers", c.Hidden, c.Patch, c.Grid, c.Grid, c.Registers)
	case !(c.Epsilon > 0) || !(c.DropPath >= 0 && c.DropPath < 1):
		return fmt.Errorf("a ViT of epsilon %g and drop path %g: wanted are a positive number and one in [0, 1)", c.Epsilon, c.DropPath)
	}
	return nil
}

// Tokens are what a network makes of images.
type Tokens struct {
	Class     *Node // [batch, width], normalised
	Registers *Node // [batch, registers, width], normalised; nil without registers
	// Patches is [batch, h, w, width], normalised: a token per patch, h and w the
	// sides of the images divided by the patch, rounded up.
	Patches *Node
	// Blocks are the tokens behind each block, not normalised: [batch, 1 + registers
	// + h·w, width], class first and patches last.
	Blocks []*Node
}

// Size is the number of patches that cover an image of h×w pixels.
func (c Config) Size(h, w int) (rows, columns int) {
	return (h + c.Patch - 1) / c.Patch, (w + c.Patch - 1) / c.Patch
}

// Tokens builds the graph for normalised images [batch, height, width, 3], whose
// variables are below scope. It panics where Check reports an error.
func (c Config) Tokens(net layers.Net, scope *model.Scope, images *Node) Tokens {
	if err := c.Check(); err != nil {
		panic(err)
	}
	net.Epsilon = c.Epsilon
	g, batch := images.Graph(), images.Shape().Dim(0)
	x := c.embed(net, scope, images)
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	position, first := c.positions(net, scope, g, h, w)
	as := func(v *Node) *Node { return ConvertDType(v, x.DType()) }
	x = Reshape(Add(x, as(position)), batch, h*w, c.Width)
	each := func(v *Node) *Node { return BroadcastToDims(as(v), batch, v.Shape().Dim(1), c.Width) }
	head := []*Node{each(Add(net.Param(scope, "cls_token", g, 0.02, 1, 1, c.Width), first))}
	if c.Registers > 0 {
		head = append(head, each(net.Param(scope, "register_tokens", g, 0.02, 1, c.Registers, c.Width)))
	}
	x = Concatenate(append(head, x), 1)
	if c.PreNorm {
		x = net.LayerNorm(scope, "norm_pre", x)
	}
	var out Tokens
	x, out.Blocks = c.blocks(net, scope, x)
	x = net.LayerNorm(scope, "norm", x)
	out.Class = Reshape(Slice(x, AxisRange(), AxisElem(0)), batch, c.Width)
	if c.Registers > 0 {
		out.Registers = Slice(x, AxisRange(), AxisRange(1, 1+c.Registers))
	}
	out.Patches = c.Map(x, h, w)
	return out
}

// Map is the patches of tokens [batch, 1 + registers + h·w, width] as an image:
// [batch, h, w, width].
func (c Config) Map(tokens *Node, h, w int) *Node {
	return Reshape(Slice(tokens, AxisRange(), AxisRangeToEnd(1+c.Registers)), tokens.Shape().Dim(0), h, w, tokens.Shape().Dim(2))
}

// embed is a linear layer of each patch's pixels: [batch, h, w, width].
func (c Config) embed(net layers.Net, scope *model.Scope, images *Node) *Node {
	p := c.Patch
	n, h, w := images.Shape().Dim(0), images.Shape().Dim(1), images.Shape().Dim(2)
	rows, cols := c.Size(h, w)
	if rows*p != h || cols*p != w {
		images = Pad(images, ScalarZero(images.Graph(), images.DType()), PadAxis{}, PadAxis{End: rows*p - h}, PadAxis{End: cols*p - w}, PadAxis{})
	}
	x := TransposeAllAxes(Reshape(images, n, rows, p, cols, p, 3), 0, 1, 3, 2, 4, 5)
	module := scope.At("patch_embed").At("proj")
	kernel := net.Kernel(module, images.Graph(), p, 3, c.Width, 1/math.Sqrt(float64(3*p*p)))
	x = Dot(Reshape(x, n*rows*cols, p*p*3), Reshape(ConvertDType(kernel, x.DType()), p*p*3, c.Width)).Product()
	if !c.PreNorm {
		x = Add(x, ExpandDims(ConvertDType(net.Bias(module, images.Graph(), c.Width), x.DType()), 0))
	}
	return Reshape(x, n, rows, cols, c.Width)
}

// positions are the embeddings of h×w patches [1, h, w, width], and of the class
// token [1, 1, width].
func (c Config) positions(net layers.Net, scope *model.Scope, g *Graph, h, w int) (patches, class *Node) {
	all := net.Param(scope, "pos_embed", g, 0.02, 1, 1+c.Grid*c.Grid, c.Width)
	class = Slice(all, AxisRange(), AxisRange(0, 1))
	patches = Reshape(Slice(all, AxisRange(), AxisRangeToEnd(1)), 1, c.Grid, c.Grid, c.Width)
	return layers.ResizeCubic(patches, h, w, c.Antialias), class
}

// blocks builds the transformer; with Recompute, training gives the tokens
// behind the last block of each group alone.
func (c Config) blocks(net layers.Net, scope *model.Scope, x *Node) (*Node, []*Node) {
	var all []*Node
	step := c.Recompute
	if step == 0 || !net.Training || c.DropPath > 0 {
		for i := range c.Depth {
			x = c.block(net, scope.At("blocks").At("%d", i), i, x)
			all = append(all, x)
		}
		return x, all
	}
	for i := 0; i < c.Depth; i += step {
		var scopes []*model.Scope
		for k := i; k < min(i+step, c.Depth); k++ {
			scopes = append(scopes, scope.At("blocks").At("%d", k))
		}
		x = layers.Recompute(scopes, x, func(x *Node) *Node {
			for k, s := range scopes {
				x = c.block(net, s, i+k, x)
			}
			return x
		})
		all = append(all, x)
	}
	return x, all
}

func (c Config) block(net layers.Net, s *model.Scope, i int, x *Node) *Node {
	drop := 0.0
	if c.Depth > 1 {
		drop = c.DropPath * float64(i) / float64(c.Depth-1)
	}
	return c.one(net, s, drop, x)
}

// Block is one block of a transformer of tokens [batch, n, width], for decoders
// that are made of such.
func (c Config) Block(net layers.Net, s *model.Scope, x *Node) *Node { return c.one(net, s, 0, x) }

func (c Config) one(net layers.Net, s *model.Scope, drop float64, x *Node) *Node {
	branch := func(x, y *Node, scale string) *Node {
		if c.LayerScale {
			y = net.Scale(s, scale, "gamma", y, 1e-5)
		}
		return Add(x, net.DropImages(s, y, drop))
	}
	x = branch(x, c.attend(net, s, net.LayerNorm(s, "norm1", x)), "ls1")
	y := net.Dense(s, "mlp.fc1", net.LayerNorm(s, "norm2", x), c.Hidden, true, weightStd)
	if c.QuickGELU {
		y = layers.QuickGELU(y)
	} else {
		y = layers.GELU(y)
	}
	return branch(x, net.Dense(s, "mlp.fc2", y, c.Width, true, weightStd), "ls2")
}

// attend is self-attention of tokens [batch, n, width].
func (c Config) attend(net layers.Net, s *model.Scope, x *Node) *Node {
	qkv := net.Dense(s, "attn.qkv", x, 3*c.Width, true, weightStd)
	part := func(i int) *Node {
		return layers.SplitHeads(Slice(qkv, AxisRange(), AxisRange(), AxisRange(i*c.Width, (i+1)*c.Width)), c.Heads)
	}
	y := layers.JoinHeads(layers.Attend(part(0), part(1), part(2), nil), c.Heads)
	return net.Dense(s, "attn.proj", y, c.Width, true, weightStd)
}

// Build makes the variables of a network in a new store by building its graph,
// which is never run. seed is that of the initial weights.
func (c Config) Build(seed int64) (*model.Store, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return layers.NewVariables(seed, c.Patch, func(scope *model.Scope, x *Node) []*Node {
		return []*Node{ConvertDType(c.Tokens(layers.Net{}, scope, x).Patches, dtypes.Float32)}
	})
}
