// Package resnet builds dilated residual networks (ResNet-18, 34, 50, 101) with
// torchvision's variable names, in the layouts that segmentation networks use:
// output stride 8, 16 or 32, stride in the first 1×1 convolution (Caffe) or in
// the 3×3 one (torchvision), and four ways to place the dilations. They register
// themselves as backbones.
package resnet

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
)

// Config is the layout of one network.
type Config struct {
	Depth int // 18, 34, 50 or 101
	models.BackboneOptions
}

func init() {
	for _, depth := range []int{18, 34, 50, 101} {
		models.RegisterBackbone(fmt.Sprintf("resnet%d", depth), func(o models.BackboneOptions) (models.Backbone, error) {
			c := Config{depth, o}
			return c, c.Check()
		})
	}
	models.RegisterDetector(func(shape map[string][]int) (string, float64, bool, error) {
		if len(shape["conv1.weight"]) != 4 {
			return "", 0, false, nil
		}
		name, width, err := Detect(shape)
		return name, width, true, err
	})
}

// layouts are the blocks per stage.
var layouts = map[int][4]int{18: {2, 2, 2, 2}, 34: {3, 4, 6, 3}, 50: {3, 4, 6, 3}, 101: {3, 4, 23, 3}}

// Check tells what is wrong with c.
func (c Config) Check() error {
	if _, ok := layouts[c.Depth]; !ok {
		return fmt.Errorf("resnet depth %d is unknown: allowed are 18, 34, 50, 101", c.Depth)
	}
	return c.CheckFor("resnet", 8, 16, 32)
}

// OnCanvas is models.CanvasBackbone's.
func (Config) OnCanvas() {}

// Channels is the size of the stage's output, stage 0 to 3.
func (c Config) Channels(stage int) int { return c.planes(stage) * c.expansion() }

// planes is the inner width of a stage's blocks.
func (c Config) planes(stage int) int { return c.Scaled(64 << stage) }

func (c Config) expansion() int {
	if c.Depth < 50 {
		return 1
	}
	return 4
}

// plan lists the residual blocks of the stages. The graph and the ONNX file are
// both made from it.
func (c Config) plan() (stages [models.Stages][]block) {
	reached, dilation := 4, 1 // input pixels per pixel; dilation so far
	for stage, blocks := range layouts[c.Depth] {
		stride, before := 1, dilation
		if stage > 0 {
			if reached < c.OutputStride {
				stride, reached = 2, reached*2
			} else if c.Dilation != models.DilateNone {
				dilation *= 2
			}
		}
		for i := range blocks {
			b := block{name: fmt.Sprintf("layer%d.%d", stage+1, i), planes: c.planes(stage), basic: c.expansion() == 1, stride: 1, dilation: dilation, in1x1: c.StrideIn1x1}
			if i == 0 {
				b.stride = stride
				b.project = stage > 0 || c.expansion() > 1
				if c.Dilation == models.DilateLate {
					b.dilation = before
				}
			}
			if c.Dilation == models.DilateMultiGrid && stage == 3 {
				b.dilation *= 1 << i
			}
			stages[stage] = append(stages[stage], b)
		}
	}
	return stages
}

// Stages is models.GroupBackbone's. scope holds the variables conv1/weight,
// layer1/0/conv1/weight and so on. It panics where Check reports an error.
func (c Config) Stages(net layers.Net, scope *model.Scope, images *Node) [models.Stages]*Node {
	_, out := c.StemAndStages(net, scope, images)
	return out
}

// StemAndStages is Stages with the output of the stem before them, a quarter of
// the size of the images.
func (c Config) StemAndStages(net layers.Net, scope *model.Scope, images *Node) (stem *Node, out [models.Stages]*Node) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	x := net.ConvNorm(scope, "conv1", "bn1", images, c.Scaled(64), 7, layers.ConvOptions{Stride: 2, Pad: 3, ReLU: true})
	x = net.MaxPool3s2(x, c.CeilPool)
	stem = x
	for stage, list := range c.plan() {
		for i := range list {
			list[i].scope = scope.At("layer%d", stage+1).At("%d", i)
		}
		x = c.chain(net, list, x)
		if stage+1 == c.CutAfter {
			x = StopGradient(x)
		}
		out[stage] = x
	}
	return stem, out
}

// chain builds blocks one after the other, in groups that are recomputed if
// configured.
func (c Config) chain(net layers.Net, list []block, x *Node) *Node {
	step := c.Recompute
	if step == 0 || !net.Training {
		return build(net, list, x)
	}
	for i := 0; i < len(list); i += step {
		group := list[i:min(i+step, len(list))]
		scopes := make([]*model.Scope, len(group))
		for k, b := range group {
			scopes[k] = b.scope
		}
		x = layers.Recompute(scopes, x, func(x *Node) *Node { return build(net, group, x) })
	}
	return x
}

func build(net layers.Net, list []block, x *Node) *Node {
	for _, b := range list {
		if b.basic {
			x = b.simple(net, b.scope, x)
		} else {
			x = b.bottleneck(net, b.scope, x)
		}
	}
	return x
}

// block is one residual block.
type block struct {
	name                     string // "layer1.0"
	scope                    *model.Scope
	basic                    bool // two 3×3 convolutions, no bottleneck
	planes, stride, dilation int
	in1x1                    bool // stride in the first 1×1 convolution
	project                  bool // the shortcut is a convolution
}

func (b block) simple(net layers.Net, s *model.Scope, x *Node) *Node {
	y := net.ConvNorm(s, "conv1", "bn1", x, b.planes, 3, layers.ConvOptions{Stride: b.stride, Dilation: b.dilation, Pad: b.dilation, ReLU: true})
	y = net.ConvNorm(s, "conv2", "bn2", y, b.planes, 3, layers.ConvOptions{Dilation: b.dilation, Pad: b.dilation})
	return layers.AddReLU(y, b.shortcut(net, s, x, b.planes))
}

func (b block) bottleneck(net layers.Net, s *model.Scope, x *Node) *Node {
	s1, s3 := b.strides()
	y := net.ConvNorm(s, "conv1", "bn1", x, b.planes, 1, layers.ConvOptions{Stride: s1, ReLU: true})
	y = net.ConvNorm(s, "conv2", "bn2", y, b.planes, 3, layers.ConvOptions{Stride: s3, Dilation: b.dilation, Pad: b.dilation, ReLU: true})
	y = net.ConvNorm(s, "conv3", "bn3", y, 4*b.planes, 1, layers.ConvOptions{})
	return layers.AddReLU(y, b.shortcut(net, s, x, 4*b.planes))
}

// strides are those of a bottleneck's first 1×1 convolution and of its 3×3 one.
func (b block) strides() (s1, s3 int) {
	if b.in1x1 {
		return b.stride, 1
	}
	return 1, b.stride
}

func (b block) shortcut(net layers.Net, s *model.Scope, x *Node, out int) *Node {
	if !b.project {
		return x
	}
	return net.ConvNorm(s, "downsample.0", "downsample.1", x, out, 1, layers.ConvOptions{Stride: b.stride})
}
