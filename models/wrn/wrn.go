// Package wrn builds the wide residual network of Wu, Shen & van den Hengel
// (ResNet-38, their model A1) as AffinityNet, SEAM and others put it to use for
// class activation maps and segmentation (docs/sources.md §11.7): branches that
// normalise and activate before they convolve, output stride 8, dilations 2 and 4.
// It registers itself as backbone wrn38; variables have the names of psa's network
// (conv1a, b2, b2_1, …, bn7).
package wrn

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
)

// Name is the registered one.
const Name = "wrn38"

// Config is the layout of one network.
type Config struct{ models.BackboneOptions }

func init() {
	models.RegisterBackbone(Name, func(o models.BackboneOptions) (models.Backbone, error) {
		c := Config{o}
		return c, c.Check()
	})
	models.RegisterDetector(detect)
}

// Check tells what is wrong with c.
func (c Config) Check() error {
	return c.CheckFor(Name, 8, 16, 32)
}

// OnCanvas is models.CanvasBackbone's.
func (Config) OnCanvas() {}

// CAMStride is models.CAMBackbone's.
func (Config) CAMStride() int { return 8 }

// CAMRoot is models.CAMBackbone's.
func (Config) CAMRoot() bool { return false }

// Channels is the size of the stage's output, stage 0 to 3.
func (c Config) Channels(stage int) int { return c.Scaled([]int{256, 512, 1024, 4096}[stage]) }

// block is one residual block: b2, b2_1, …
type block struct {
	name            string
	widths          []int // channels after each convolution of its branch
	stride          int   // of the first one
	first, dilation int   // of the first 3×3 convolution, and of the others
	bottleneck      bool  // 1×1, 3×3, 1×1 in the place of two 3×3
	project         bool  // the shortcut is a convolution
	drop            float64
}

// groups are the blocks of a resolution, or of a dilation.
var groups = []struct {
	repeat     int
	widths     []int
	bottleneck bool
	drop       float64
}{
	{3, []int{128, 128}, false, 0}, {3, []int{256, 256}, false, 0}, {6, []int{512, 512}, false, 0}, {3, []int{512, 1024}, false, 0},
	{1, []int{512, 1024, 2048}, true, 0.3}, {1, []int{1024, 2048, 4096}, true, 0.5},
}

// plan lists the blocks, group by group. The graph and the ONNX file are both made
// from it.
func (c Config) plan() (all [][]block) {
	reached, dilation := 1, 1
	for g, group := range groups {
		stride, before := 1, dilation
		switch {
		case g == len(groups)-1: // the last group keeps what it finds
		case reached < 8 || reached < c.OutputStride:
			stride, reached = 2, reached*2
		case c.Dilation != models.DilateNone:
			dilation *= 2
		}
		var list []block
		for i := range group.repeat {
			b := block{name: fmt.Sprintf("b%d", g+2), stride: 1, first: dilation, dilation: dilation, bottleneck: group.bottleneck, project: i == 0, drop: group.drop}
			if c.NoDropout {
				b.drop = 0
			}
			for _, w := range group.widths {
				b.widths = append(b.widths, c.Scaled(w))
			}
			if i > 0 {
				b.name = fmt.Sprintf("%s_%d", b.name, i)
			} else {
				b.stride = stride
				if c.Dilation != models.DilateAll {
					b.first = before
				}
			}
			list = append(list, b)
		}
		all = append(all, list)
	}
	return all
}

// stageOf gives the stage whose output the branch of a group's first block sees,
// after normalisation and ReLU.
var stageOf = map[int]int{2: 0, 3: 1, 4: 2}

// Stages is models.Backbone's. A stage's output is what the block behind it
// normalises and activates, as psa reads them. It panics where Check reports an
// error.
func (c Config) Stages(net layers.Net, scope *model.Scope, images *Node) (out [models.Stages]*Node) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	x := net.Conv(scope, "conv1a", images, c.Scaled(64), 3, false, layers.Kaiming(3, 3, c.Scaled(64)), layers.ConvOptions{Pad: 1})
	if c.CutAfter > 0 {
		x = StopGradient(x)
	}
	for g, list := range c.plan() {
		var seen *Node
		x, seen = c.chain(net, scope, list, x)
		if stage, ok := stageOf[g]; ok {
			out[stage] = seen
		}
		if number := g + 2; number <= c.CutAfter {
			x = StopGradient(x)
		}
	}
	x = net.Norm(scope, "bn7", x, true)
	if c.Dilation == models.DilatePublished && !c.NoDropout {
		x = net.DropChannels(scope, x, 0.5)
	}
	out[3] = x
	return out
}

// chain builds the blocks of a group, those after the first recomputed if
// configured. seen is what the first one activates.
func (c Config) chain(net layers.Net, scope *model.Scope, list []block, x *Node) (y, seen *Node) {
	y, seen = list[0].build(net, scope.At("%s", list[0].name), x)
	rest := list[1:]
	for len(rest) > 0 {
		step := len(rest)
		if c.Recompute > 0 && net.Training {
			step = min(step, c.Recompute)
		}
		part := rest[:step]
		var scopes []*model.Scope
		for _, b := range part {
			scopes = append(scopes, scope.At("%s", b.name))
		}
		body := func(x *Node) *Node {
			for i, b := range part {
				x, _ = b.build(net, scopes[i], x)
			}
			return x
		}
		if c.Recompute > 0 && net.Training {
			y = layers.Recompute(scopes, y, body)
		} else {
			y = body(y)
		}
		rest = rest[step:]
	}
	return y, seen
}

// norms and convs are the layers of a branch.
var (
	norms = []string{"bn_branch2a", "bn_branch2b1", "bn_branch2b2"}
	convs = []string{"conv_branch2a", "conv_branch2b1", "conv_branch2b2"}
)

// conv is the geometry of a branch's convolution.
func (b block) conv(i int) (k int, o layers.ConvOptions) {
	k, o = 3, layers.ConvOptions{Dilation: b.dilation}
	if b.bottleneck && i != 1 {
		k, o.Dilation = 1, 1
	}
	if i == 0 {
		o.Stride = b.stride
		if k == 3 {
			o.Dilation = b.first
		}
	}
	o.Pad = (k - 1) / 2 * o.Dilation
	return k, o
}

func (b block) build(net layers.Net, s *model.Scope, x *Node) (y, seen *Node) {
	seen = net.Norm(s, norms[0], x, true)
	short := x
	if b.project {
		last := b.widths[len(b.widths)-1]
		short = net.Conv(s, "conv_branch1", seen, last, 1, false, layers.Kaiming(1, 1, last), layers.ConvOptions{Stride: b.stride})
	}
	y = seen
	for i, width := range b.widths {
		if i > 0 {
			y = net.Norm(s, norms[i], y, true)
			y = net.DropChannels(s, y, b.drop)
		}
		k, o := b.conv(i)
		y = net.Conv(s, convs[i], y, width, k, false, layers.Kaiming(k, k, width), o)
	}
	return Add(short, y), seen
}
