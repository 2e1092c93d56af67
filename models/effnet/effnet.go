// Package effnet builds EfficientNet-Lite 0 to 4: mobile inverted bottlenecks
// without squeeze-and-excitation, with ReLU6, as TensorFlow's
// efficientnet_lite_builder has them and PyTorch's efficientnet_lite_pytorch
// loads them. Variables have the names of the latter (_conv_stem.weight,
// _blocks.3._depthwise_conv.weight, …), so that its .pth files fit.
//
// Padding is TensorFlow's SAME for the size of the image at hand. The PyTorch
// package fixes it for the size that a network was trained at; there the two
// are equal.
package effnet

import (
	"cmp"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// What the reference normalises batches with.
const (
	NormEpsilon  = 1e-3
	NormMomentum = 0.01 // PyTorch's: the weight of the batch
)

// Sizes of the parts that all variants share.
const (
	stemChannels = 32
	HeadChannels = 1280
)

// Config is the layout of one network; Lite gives those that were published.
type Config struct {
	Width, Depth float64 // multiply the channels and the blocks of a stage; 0 means 1
	// OutputStride is the input pixels per pixel of the last stage: 32 (also 0),
	// 16 or 8. Strides beyond it become dilations, unless Undilated.
	OutputStride int
	Undilated    bool
	// DropConnect is the chance that training leaves out the last residual
	// branch of an image, less for earlier ones; the reference trains with 0.2.
	DropConnect float64
	// CutAfter stops the gradient behind the stage of a quarter of the image's side
	// (1), an eighth (2) and so on; 0 = nowhere.
	CutAfter int
	// Recompute, if not 0, is how many blocks the backward pass computes again
	// together instead of keeping what is inside them (layers.Recompute).
	Recompute int
}

// lite are width, depth and image side of the published variants.
var lite = [5]struct {
	width, depth float64
	side         int
}{{1, 1, 224}, {1, 1.1, 240}, {1.1, 1.2, 260}, {1.2, 1.4, 280}, {1.4, 1.8, 300}}

// Lite is the layout of EfficientNet-Lite n, 0 to 4.
func Lite(n int) (Config, error) {
	if n < 0 || n >= len(lite) {
		return Config{}, fmt.Errorf("efficientnet-lite%d is unknown: allowed are 0 to %d", n, len(lite)-1)
	}
	return Config{Width: lite[n].width, Depth: lite[n].depth}, nil
}

// Check tells what is wrong with c.
func (c Config) Check() error {
	switch {
	case c.OutputStride != 0 && c.OutputStride != 8 && c.OutputStride != 16 && c.OutputStride != 32:
		return fmt.Errorf("efficientnet output stride %d is unknown: allowed are 8, 16, 32", c.OutputStride)
	case !(c.Width >= 0 && c.Width <= 16) || !(c.Depth >= 0 && c.Depth <= 16):
		return fmt.Errorf("efficientnet width %v, depth %v: allowed are 0 (meaning 1) to 16", c.Width, c.Depth)
	case !(c.DropConnect >= 0 && c.DropConnect < 1):
		return fmt.Errorf("efficientnet drop_connect %v: allowed are numbers in [0, 1)", c.DropConnect)
	}
	return nil
}

// groups are the seven groups of blocks of Lite 0.
var groups = [7]struct{ repeat, kernel, stride, expand, out int }{
	{1, 3, 1, 1, 16}, {2, 3, 2, 6, 24}, {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80}, {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320},
}

// Stage names an output of the network by its stride, at output stride 32.
type Stage int

// The stages: what the last block of each resolution gives.
const (
	Stage2  Stage = iota // half the image's side
	Stage4               // a quarter
	Stage8               // an eighth
	Stage16              // a sixteenth
	Stage32              // a thirty-second; less with a smaller output stride
	Stages
)

// ends is the last group of each stage.
var ends = [Stages]int{0, 1, 2, 4, 6}

// Channels is the size of a stage's output.
func (c Config) Channels(s Stage) int { return c.channels(groups[ends[s]].out) }

// channels rounds to multiples of eight, never down by more than a tenth.
func (c Config) channels(n int) int {
	if c.Width == 0 || c.Width == 1 {
		return n
	}
	wide := float64(n) * c.Width
	out := max(8, int(wide+4)/8*8)
	if float64(out) < 0.9*wide {
		out += 8
	}
	return out
}

// repeats is the number of blocks of a group; the first and the last group
// have one always.
func (c Config) repeats(group int) int {
	n := groups[group].repeat
	if c.Depth == 0 || group == 0 || group == len(groups)-1 {
		return n
	}
	return int(math.Ceil(c.Depth * float64(n)))
}

// blocks counts all blocks.
func (c Config) blocks() (n int) {
	for i := range groups {
		n += c.repeats(i)
	}
	return n
}

// with sets what the reference adds to variances, and how fast it moves its
// statistics, where net leaves that open.
func with(net layers.Net) layers.Net {
	if net.Epsilon == 0 {
		net.Epsilon = NormEpsilon
	}
	if net.Momentum == 0 {
		net.Momentum = NormMomentum
	}
	return net
}

// Stages builds the graph for images [batch, height, width, 3] and returns the
// outputs of the stages, [batch, h, w, Channels(stage)], h and w rounded up. It
// panics where Check reports an error.
func (c Config) Stages(net layers.Net, scope *model.Scope, images *Node) [Stages]*Node {
	if err := c.Check(); err != nil {
		panic(err)
	}
	net = with(net)
	x := layers.SamePad(images, 3, 2, 1)
	x = relu6(net.ConvNorm(scope, "_conv_stem", "_bn0", x, stemChannels, 3, layers.ConvOptions{Stride: 2, ReLU: true}))
	var out [Stages]*Node
	for stage, list := range c.plan() {
		x = c.chain(net, scope, list, x)
		if stage == c.CutAfter && stage > 0 {
			x = StopGradient(x)
		}
		out[stage] = x
	}
	return out
}

// plan lists the blocks of the stages. The graph and the ONNX file are both made
// from it.
func (c Config) plan() (stages [Stages][]block) {
	limit := cmp.Or(c.OutputStride, 32)
	stage := Stage2
	reached, dilation, index, total := 2, 1, 0, c.blocks()
	in := stemChannels
	for g, group := range groups {
		stride, first := group.stride, dilation
		if stride > 1 {
			if reached < limit {
				reached *= stride
			} else {
				if !c.Undilated {
					dilation *= group.stride // from the next block on: what a stride would have skipped
				}
				stride = 1
			}
		}
		for i := range c.repeats(g) {
			b := block{index: index, kernel: group.kernel, stride: 1, dilation: dilation,
				expand: group.expand, out: c.channels(group.out), drop: c.DropConnect * float64(index) / float64(total)}
			if i == 0 {
				b.stride, b.dilation = stride, first
			}
			b.keeps, in = b.stride == 1 && in == b.out, b.out
			stages[stage] = append(stages[stage], b)
			index++
		}
		if g == ends[stage] {
			stage++
		}
	}
	return stages
}

// chain builds blocks one after the other, in groups that are recomputed if
// configured.
func (c Config) chain(net layers.Net, scope *model.Scope, list []block, x *Node) *Node {
	scopes := make([]*model.Scope, len(list))
	for i, b := range list {
		scopes[i] = scope.At("_blocks").At("%d", b.index)
	}
	step := c.Recompute
	if step == 0 || !net.Training || c.DropConnect > 0 {
		step = len(list)
	}
	for i := 0; i < len(list); i += step {
		group, at := list[i:min(i+step, len(list))], scopes[i:min(i+step, len(list))]
		build := func(x *Node) *Node {
			for k, b := range group {
				x = b.build(net, at[k], x)
			}
			return x
		}
		if step == len(list) {
			x = build(x)
		} else {
			x = layers.Recompute(at, x, build)
		}
	}
	return x
}

// Head builds the 1×1 convolution that follows the last stage: the features
// [batch, h, w, HeadChannels] that the classifier averages.
func (c Config) Head(net layers.Net, scope *model.Scope, x *Node) *Node {
	return relu6(with(net).ConvNorm(scope, "_conv_head", "_bn1", x, HeadChannels, 1, layers.ConvOptions{ReLU: true}))
}

// Classify is the linear classifier on averaged features: logits [batch,
// classes]. Its variables are _fc.weight [classes, HeadChannels] and _fc.bias.
func (c Config) Classify(net layers.Net, scope *model.Scope, features *Node, classes int) *Node {
	return net.Linear(scope, "_fc", Reshape(layers.MeanImage(features), features.Shape().Dim(0), HeadChannels), classes)
}

// block is a mobile inverted bottleneck.
type block struct {
	index                            int // among all blocks
	kernel, stride, dilation, expand int
	out                              int
	keeps                            bool    // the size of its input, to which it adds
	drop                             float64 // chance that training leaves out the branch of an image
}

func (b block) build(net layers.Net, scope *model.Scope, x *Node) *Node {
	y := x
	if b.expand > 1 {
		y = relu6(net.ConvNorm(scope, "_expand_conv", "_bn0", y, x.Shape().Dim(3)*b.expand, 1, layers.ConvOptions{ReLU: true}))
	}
	y = layers.SamePad(y, b.kernel, b.stride, b.dilation)
	y = relu6(net.DepthwiseNorm(scope, "_depthwise_conv", "_bn1", y, b.kernel, layers.ConvOptions{Stride: b.stride, Dilation: b.dilation, ReLU: true}))
	y = net.ConvNorm(scope, "_project_conv", "_bn2", y, b.out, 1, layers.ConvOptions{})
	if !b.keeps {
		return y
	}
	return Add(net.DropImages(scope, y, b.drop), x)
}

// relu6 caps what a ReLU gave.
func relu6(x *Node) *Node { return MinScalar(x, 6) }
