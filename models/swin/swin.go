// Package swin builds Swin transformers (Liu et al., "Swin Transformer:
// Hierarchical Vision Transformer using Shifted Windows", ICCV 2021) as backbones
// of segmentation: attention in windows, shifted in every second block, with a
// bias by relative position, patches merged between stages, and a normalisation
// behind each stage's output. Images and maps of any size are padded to whole
// patches and windows, as Microsoft's detection code does.
//
// Variables have Microsoft's names: patch_embed.proj.weight,
// layers.0.blocks.1.attn.qkv.weight, norm0.weight.
package swin

import (
	"fmt"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
)

// Config is the layout of one network.
type Config struct {
	Embed  int                // channels of the first stage; each further one has twice as many
	Depths [models.Stages]int // blocks of the stages
	Heads  [models.Stages]int // heads of their attention
	Window int                // side of a window, in patches
	models.BackboneOptions
}

// patch is the side of a patch in pixels.
const patch = 4

// deviation is that of the initial weights.
const deviation = 0.02

// published are the layouts of the paper. Base and large have the window of
// their networks of 384 pixels, which segmentation starts from; those with _w7
// that of their networks of 224.
var published = []struct {
	name string
	Config
}{
	{"swin_t", layout(96, 6, 3, 7)}, {"swin_s", layout(96, 18, 3, 7)},
	{"swin_b", layout(128, 18, 4, 12)}, {"swin_l", layout(192, 18, 6, 12)},
	{"swin_b_w7", layout(128, 18, 4, 7)}, {"swin_l_w7", layout(192, 18, 6, 7)},
}

func layout(embed, third, heads, window int) Config {
	return Config{Embed: embed, Depths: [4]int{2, 2, third, 2}, Heads: [4]int{heads, 2 * heads, 4 * heads, 8 * heads}, Window: window}
}

func init() {
	for _, p := range published {
		models.RegisterBackbone(p.name, func(o models.BackboneOptions) (models.Backbone, error) {
			c := p.Config
			c.BackboneOptions = o
			if o.Width > 0 { // heads stay, and get narrower
				c.Embed = max(1, int(math.Round(float64(c.Embed)*o.Width/float64(c.Heads[0])))) * c.Heads[0]
			}
			return c, c.Check()
		})
	}
}

// Check tells what is wrong with c.
func (c Config) Check() error {
	switch {
	case c.OutputStride != 0 && c.OutputStride != 32:
		return fmt.Errorf("a Swin has train.network.output_stride = 32, not %d: train.network.arch = \"mask2former\" takes it", c.OutputStride)
	case c.CutAfter < 0 || c.CutAfter > 3:
		return fmt.Errorf("swin gradient cut after stage %d: allowed are 0 (nowhere) to 3", c.CutAfter)
	case !(c.Width >= 0 && c.Width <= 16):
		return fmt.Errorf("swin width %v is out of range: allowed are 0 (meaning 1) to 16", c.Width)
	case !(c.DropPath >= 0 && c.DropPath < 1):
		return fmt.Errorf("swin drop path %v: allowed are numbers in [0, 1)", c.DropPath)
	case c.Window < 1:
		return fmt.Errorf("swin window %d: allowed are 1 and more", c.Window)
	}
	for stage, heads := range c.Heads {
		if heads < 1 || c.Depths[stage] < 1 || c.Embed < 1 || c.Channels(stage)%heads != 0 {
			return fmt.Errorf("swin stage %d: %d blocks of %d heads for %d channels, which the heads must divide", stage+1, c.Depths[stage], heads, c.Channels(stage))
		}
	}
	return nil
}

// Layers is models.Layered's: behind the patches and the blocks.
func (c Config) Layers() int {
	n := 1
	for _, blocks := range c.Depths {
		n += blocks
	}
	return n
}

// Layer is models.Layered's, of a path below the backbone's scope. What merges
// patches behind a stage, and the normalisation of the stage's output, are of the
// stage's last block.
func (c Config) Layer(path string) int {
	var stage, block int
	if n, _ := fmt.Sscanf(path, "layers/%d/blocks/%d/", &stage, &block); n < 2 {
		n, _ := fmt.Sscanf(path, "layers/%d/", &stage)
		m, _ := fmt.Sscanf(path, "norm%d/", &stage)
		if n+m == 0 || stage >= len(c.Depths) {
			return 0
		}
		block = c.Depths[stage] - 1
	}
	for _, blocks := range c.Depths[:min(stage, len(c.Depths))] {
		block += blocks
	}
	return block + 1
}

// Channels is the size of a stage's output, stage 0 to 3.
func (c Config) Channels(stage int) int { return c.Embed << stage }

// Stages is models.Backbone's. Sides are rounded up from stage to stage.
func (c Config) Stages(net layers.Net, scope *model.Scope, images *Node) (out [models.Stages]*Node) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	x := c.patches(net, scope, images)
	total, index := 0, 0
	for _, n := range c.Depths {
		total += n
	}
	for stage, n := range c.Depths {
		s := scope.At("layers").At("%d", stage)
		list := make([]block, n)
		for i := range list {
			drop := c.DropPath * float64(index) / float64(max(total-1, 1))
			at := s.At("blocks").At("%d", i)
			list[i] = block{scope: at, heads: c.Heads[stage], window: c.Window}
			if i%2 == 1 {
				list[i].shift = c.Window / 2
			}
			for k := range list[i].keep {
				list[i].keep[k] = net.DrawImages(at, x.Graph(), x.Shape().Dim(0), drop)
			}
			index++
		}
		x = c.chain(net, list, x)
		if stage+1 == c.CutAfter {
			x = StopGradient(x)
		}
		out[stage] = net.LayerNorm(scope, fmt.Sprintf("norm%d", stage), x)
		if stage+1 < models.Stages {
			x = merge(net, s, x)
		}
	}
	return out
}

// chain builds blocks one after the other, in groups that are recomputed if
// configured.
func (c Config) chain(net layers.Net, list []block, x *Node) *Node {
	step := c.Recompute
	if step == 0 || !net.Training {
		step = len(list)
	}
	for i := 0; i < len(list); i += step {
		group := list[i:min(i+step, len(list))]
		build := func(x *Node) *Node {
			for _, b := range group {
				x = b.build(net, x)
			}
			return x
		}
		if c.Recompute == 0 || !net.Training {
			x = build(x)
			continue
		}
		scopes := make([]*model.Scope, len(group))
		for k, b := range group {
			scopes[k] = b.scope
		}
		x = layers.Recompute(scopes, x, build)
	}
	return x
}

// patches is the convolution of patches that do not overlap, as a product, and
// its normalisation: [batch, height/4, width/4, Embed].
func (c Config) patches(net layers.Net, scope *model.Scope, images *Node) *Node {
	x := padTo(images, patch)
	b, h, w, ch := x.Shape().Dim(0), x.Shape().Dim(1)/patch, x.Shape().Dim(2)/patch, x.Shape().Dim(3)
	x = TransposeAllAxes(Reshape(x, b, h, patch, w, patch, ch), 0, 1, 3, 2, 4, 5)
	proj := scope.At("patch_embed").At("proj")
	kernel := Reshape(net.Kernel(proj, x.Graph(), patch, ch, c.Embed, deviation), patch*patch*ch, c.Embed)
	x = layers.Affine(Reshape(x, b, h, w, patch*patch*ch), Transpose(kernel, 0, 1), net.Bias(proj, x.Graph(), c.Embed))
	return net.LayerNorm(scope, "patch_embed.norm", x)
}

// padTo adds zeros below and to the right, so that both sides are multiples of n.
func padTo(x *Node, n int) *Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	down, right := (n-h%n)%n, (n-w%n)%n
	if down == 0 && right == 0 {
		return x
	}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{End: down}, PadAxis{End: right}, PadAxis{})
}

// merge joins each square of four pixels into one of twice the channels.
func merge(net layers.Net, stage *model.Scope, x *Node) *Node {
	x = padTo(x, 2)
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1)/2, x.Shape().Dim(2)/2, x.Shape().Dim(3)
	// Rows change faster than columns in Microsoft's order of the four.
	x = Reshape(TransposeAllAxes(Reshape(x, b, h, 2, w, 2, c), 0, 1, 3, 4, 2, 5), b, h, w, 4*c)
	x = net.LayerNorm(stage, "downsample.norm", x)
	return net.Dense(stage, "downsample.reduction", x, 2*c, false, deviation)
}

// block is attention within windows and a perceptron, both residual.
type block struct {
	scope                *model.Scope
	heads, window, shift int
	keep                 [2]*Node // of DrawImages, for the two branches; nil keeps all
}

func (b block) build(net layers.Net, x *Node) *Node {
	y := b.attention(net, net.LayerNorm(b.scope, "norm1", x))
	x = Add(x, layers.KeepImages(y, b.keep[0]))
	c := x.Shape().Dim(3)
	y = net.Dense(b.scope, "mlp.fc1", net.LayerNorm(b.scope, "norm2", x), 4*c, true, deviation)
	y = net.Dense(b.scope, "mlp.fc2", layers.GELU(y), c, true, deviation)
	return Add(x, layers.KeepImages(y, b.keep[1]))
}

// attention is that within windows of x [batch, h, w, channels].
func (b block) attention(net layers.Net, x *Node) *Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	x = padTo(x, b.window)
	batch, down, across, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	n := b.window * b.window
	x = roll(x, b.shift)
	rows, columns := down/b.window, across/b.window
	x = TransposeAllAxes(Reshape(x, batch, rows, b.window, columns, b.window, c), 0, 1, 3, 2, 4, 5)
	qkv := net.Dense(b.scope, "attn.qkv", Reshape(x, batch*rows*columns, n, c), 3*c, true, deviation)
	qkv = TransposeAllAxes(Reshape(qkv, batch*rows*columns, n, 3, b.heads, c/b.heads), 2, 0, 3, 1, 4)
	part := func(i int) *Node {
		return Reshape(Slice(qkv, AxisElem(i)), batch*rows*columns*b.heads, n, c/b.heads)
	}
	bias := b.positions(net, x)
	if b.shift > 0 {
		bias = Add(bias, apart(x.Graph(), down, across, b.window, b.shift))
	}
	x = layers.Attend(part(0), part(1), part(2), func(scores *Node) *Node {
		dims := scores.Shape().Dimensions
		scores = Reshape(scores, batch, rows*columns, b.heads, n, n)
		return Reshape(Add(scores, ConvertDType(bias, scores.DType())), dims...)
	})
	x = net.Dense(b.scope, "attn.proj", layers.JoinHeads(x, b.heads), c, true, deviation)
	x = TransposeAllAxes(Reshape(x, batch, rows, columns, b.window, b.window, c), 0, 1, 3, 2, 4, 5)
	x = roll(Reshape(x, batch, down, across, c), -b.shift)
	if down == h && across == w {
		return x
	}
	return Slice(x, AxisRange(), AxisRange(0, h), AxisRange(0, w), AxisRange())
}

// positions is the bias of scores by relative position, [1, 1, heads, n, n].
func (b block) positions(net layers.Net, x *Node) *Node {
	side := 2*b.window - 1
	table := net.Parameter(b.scope, x.Graph(), "attn", "relative_position_bias_table",
		func(r *rand.Rand) float64 { return r.NormFloat64() * deviation }, side*side, b.heads)
	n := b.window * b.window
	index := make([]int64, 0, n*n)
	for q := range n {
		for k := range n {
			dy, dx := q/b.window-k/b.window+b.window-1, q%b.window-k%b.window+b.window-1
			index = append(index, int64(dy*side+dx))
		}
	}
	at := ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(index, n*n, 1))
	return Reshape(Transpose(Gather(table, at), 0, 1), 1, 1, b.heads, n, n)
}

// roll moves x up and to the left, what leaves it comes in on the other side.
func roll(x *Node, by int) *Node {
	if by == 0 {
		return x
	}
	for axis := 1; axis <= 2; axis++ {
		n := x.Shape().Dim(axis)
		at := ((by % n) + n) % n
		part := func(from, to int) *Node {
			spec := []SliceAxisSpec{AxisRange(), AxisRange(), AxisRange(), AxisRange()}
			spec[axis] = AxisRange(from, to)
			return Slice(x, spec...)
		}
		if at != 0 {
			x = Concatenate([]*Node{part(at, n), part(0, at)}, axis)
		}
	}
	return x
}

// apart is −100 between places of a window that only the shift has brought
// together, [1, windows, 1, n, n].
func apart(g *Graph, down, across, window, shift int) *Node {
	region := func(i, length int) int { // 0, 1 or 2 along one axis
		switch {
		case i < length-window:
			return 0
		case i < length-shift:
			return 1
		}
		return 2
	}
	n, rows, columns := window*window, down/window, across/window
	mask := make([]float32, rows*columns*n*n)
	for at := range rows * columns {
		of := func(k int) int {
			return 3*region(at/columns*window+k/window, down) + region(at%columns*window+k%window, across)
		}
		for q := range n {
			for k := range n {
				if of(q) != of(k) {
					mask[(at*n+q)*n+k] = -100
				}
			}
		}
	}
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(mask, 1, rows*columns, 1, n, n))
}
