// Package vgg builds VGG-16 as networks of weak supervision use it, fully
// convolutional at output stride 8 or 16 (docs/sources.md §11.8): the 3×3 pools of
// DeepLab-LargeFOV, dilated last convolutions, and fc6 and fc7 of 1,024 channels
// with their dropout. It registers itself as backbone vgg16; variables have the
// names of Caffe's and psa's networks (conv1_1, …, fc7).
package vgg

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
)

// Name is the registered one.
const Name = "vgg16"

// Config is the layout of one network: with models.DilatePublished psa's network of
// class activation maps, otherwise DeepLab-LargeFOV, whose fc6 sees further, behind
// two more pools.
type Config struct {
	models.BackboneOptions
	// FC6 is another dilation of fc6, without the pools and without the dropout
	// behind fc7: psa's AffinityNet has 4. 0 = as above.
	FC6 int
}

func init() {
	models.RegisterBackbone(Name, func(o models.BackboneOptions) (models.Backbone, error) {
		c := Config{BackboneOptions: o}
		return c, c.Check()
	})
	models.RegisterDetector(detect)
}

// Check tells what is wrong with c.
func (c Config) Check() error {
	return c.CheckFor(Name, 8, 16)
}

// OnCanvas is models.CanvasBackbone's.
func (Config) OnCanvas() {}

// CAMStride is models.CAMBackbone's.
func (Config) CAMStride() int { return 8 }

// CAMRoot is models.CAMBackbone's: psa's maps of this network are square roots.
func (Config) CAMRoot() bool { return true }

// Channels is the size of the stage's output, stage 0 to 3.
func (c Config) Channels(stage int) int { return c.Scaled([]int{256, 512, 512, 1024}[stage]) }

// groups are the convolutions between two pools.
var groups = []struct{ repeat, channels int }{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}

// pool is what follows a group.
type pool int

const (
	none   pool = iota
	halves      // 3×3, stride 2
	keeps       // 3×3, stride 1
)

// layer is a convolution with ReLU.
type layer struct {
	name              string
	k, out, dilation  int
	stage             int  // whose output it is; -1 = of none
	pool              pool // behind it
	mean              bool // and a mean of 3×3 pixels
	channels, element float64
}

// largeFOV is the dilation of DeepLab-LargeFOV's fc6 at output stride 8.
const largeFOV = 12

// plan lists the layers. The graph and the ONNX file are both made from it.
func (c Config) plan() (all []layer) {
	reached, dilation := 1, 1
	published := c.FC6 > 0 || c.Dilation == models.DilatePublished
	for g, group := range groups {
		for i := range group.repeat {
			all = append(all, layer{name: fmt.Sprintf("conv%d_%d", g+1, i+1), k: 3, out: c.Scaled(group.channels), dilation: dilation, stage: -1})
		}
		last := &all[len(all)-1]
		switch {
		case g == 4 && !published:
			last.pool, last.mean = keeps, true
		case g == 4:
		case reached < 8 || reached < c.OutputStride:
			last.pool, reached = halves, reached*2
		default:
			last.pool = keeps
			if c.Dilation != models.DilateNone {
				dilation *= 2
			}
		}
		if g >= 2 {
			last.stage = g - 2
		}
	}
	fc6 := layer{name: "fc6", k: 3, out: c.Scaled(1024), dilation: largeFOV * 8 / c.OutputStride, stage: -1, element: 0.5}
	fc7 := layer{name: "fc7", k: 1, out: c.Scaled(1024), dilation: 1, stage: 3, element: 0.5}
	if published {
		fc6.dilation, fc6.channels, fc6.element = max(c.FC6, 1), 0.5, 0
		fc7.channels, fc7.element = 0.5, 0
	}
	if c.FC6 > 0 {
		fc7.channels = 0
	}
	if c.NoDropout {
		fc6.channels, fc6.element, fc7.channels, fc7.element = 0, 0, 0, 0
	}
	return append(all, fc6, fc7)
}

// Stages is models.Backbone's: the last convolutions before the third, fourth and
// fifth pool, and fc7. It panics where Check reports an error.
func (c Config) Stages(net layers.Net, scope *model.Scope, images *Node) (out [models.Stages]*Node) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	x := images
	plan := c.plan()
	for i, l := range plan {
		o := layers.ConvOptions{Dilation: l.dilation, Pad: (l.k - 1) / 2 * l.dilation, ReLU: true}
		x = net.Conv(scope, l.name, x, l.out, l.k, true, layers.Kaiming(l.k, l.k, l.out), o)
		x = net.DropChannels(scope, net.Dropout(scope, x, l.element), l.channels)
		if l.stage >= 0 {
			out[l.stage] = x
		}
		if number := c.Stage(l.name); number <= c.CutAfter && c.Stage(plan[i+1].name) > number {
			x = StopGradient(x)
		}
		switch l.pool {
		case halves:
			x = net.MaxPool3s2(x, c.CeilPool)
		case keeps:
			x = net.MaxPool3s1(x)
		}
		if l.mean {
			x = net.MeanPool3s1(x)
		}
	}
	return out
}
