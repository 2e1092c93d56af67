// Package camnet is the network behind class activation maps (docs/sources.md §11.1): a
// ResNet of output stride 16 without dilation and a bias-free 1×1 classifier on
// its pooled features. Without the pooling the classifier tells where each
// class is.
package camnet

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
	"wsss/models/resnet"
)

// Stride is the image pixels per pixel of a map.
const Stride = 16

// Scopes of the variables below the one passed to Logits.
const (
	backboneScope   = "backbone"
	classifierScope = "classifier"
)

// What batch normalisation learns, as configs name it.
const (
	Running = "running" // scale and shift; the running statistics normalise, always (IRN)
	Frozen  = "frozen"  // nothing
	Train   = "train"   // everything, with the statistics of the batch: for a random start
)

// maxClasses bounds what a foreign file can make us allocate.
const maxClasses = 4096

// Config is the layout of a network.
type Config struct {
	Backbone  string  // resnet18, resnet34, resnet50, resnet101
	Width     float64 // channel multiplier; 1 = the published size
	StrideIn  string  // bottleneck convolution that strides: "3x3" (torchvision, IRN) or "1x1" (Caffe)
	BatchNorm string  // Running, Frozen or Train
	CutAfter  int     // the gradient ends behind the stem and so many stages
	Classes   int     // background not counted
}

// Network is a network by its config. Its methods build graphs, and panic on
// errors.
type Network struct {
	cfg      Config
	backbone resnet.Config
}

// New checks a config.
func New(c Config) (*Network, error) {
	depth, err := strconv.Atoi(strings.TrimPrefix(c.Backbone, "resnet"))
	if err != nil || c.StrideIn != "3x3" && c.StrideIn != "1x1" || !slices.Contains([]string{Running, Frozen, Train}, c.BatchNorm) || c.Classes < 1 || c.Classes > maxClasses {
		return nil, fmt.Errorf("a CAM network of %q, stride in %q, batch norm %q, %d classes: allowed are resnet18, 34, 50, 101; 3x3, 1x1; running, frozen, train; 1 to %d", c.Backbone, c.StrideIn, c.BatchNorm, c.Classes, maxClasses)
	}
	n := &Network{c, resnet.Config{Depth: depth, Width: c.Width, OutputStride: Stride, StrideIn1x1: c.StrideIn == "1x1", Placement: resnet.Undilated, CutAfter: c.CutAfter}}
	return n, n.backbone.Check()
}

// Config returns what New was given.
func (n *Network) Config() Config { return n.cfg }

// features are [batch, h, w, channels].
func (n *Network) features(scope *model.Scope, images *Node, training bool) *Node {
	return n.featuresOn(nil, scope, images, training)
}

func (n *Network) featuresOn(canvas *layers.Canvas, scope *model.Scope, images *Node, training bool) *Node {
	net := layers.Net{Training: training, TrainNorm: n.cfg.BatchNorm == Train, TrainAffine: n.cfg.BatchNorm == Running, Canvas: canvas}
	return n.backbone.Stages(net, scope.At(backboneScope), images)[3]
}

// classify is the 1×1 classifier, with PyTorch's usual deviation of initial
// weights.
func (n *Network) classify(scope *model.Scope, x *Node, relu bool) *Node {
	std := 1 / math.Sqrt(3*float64(x.Shape().Dim(3)))
	return layers.Net{}.Conv(scope, classifierScope, x, n.cfg.Classes, 1, false, std, layers.ConvOptions{ReLU: relu})
}

// Logits are [batch, classes] of images [batch, height, width, 3], RGB
// normalised as torchvision does.
func (n *Network) Logits(scope *model.Scope, images *Node, training bool) *Node {
	x := n.classify(scope, layers.MeanImage(n.features(scope, images, training)), false)
	return Reshape(x, x.Shape().Dim(0), n.cfg.Classes)
}

// Maps are the class activation maps after ReLU, [batch, ⌈height/16⌉,
// ⌈width/16⌉, classes].
func (n *Network) Maps(scope *model.Scope, images *Node) *Node {
	return n.classify(scope, n.features(scope, images, false), true)
}

// MapsWithin are the maps of images that are size, [height, width] as float32,
// in the upper left corner of images: in that of the result, as if each image
// were alone.
func (n *Network) MapsWithin(scope *model.Scope, images, size *Node) *Node {
	return n.classify(scope, n.featuresOn(layers.NewCanvas(images, size), scope, images, false), true)
}

// Group tells how the optimiser treats the variable of a path: what lies
// before the cut of the gradient is frozen, weight decay included, as PyTorch
// leaves parameters without a gradient alone.
func (n *Network) Group(path string) models.Group {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	leaf := parts[len(parts)-1]
	switch {
	case parts[0] == classifierScope:
		return models.Head
	case parts[0] != backboneScope || len(parts) < 3 || leaf != "weight" && leaf != "bias":
		return models.Frozen
	case n.cfg.BatchNorm == Frozen && isNorm(parts[len(parts)-3:]):
		return models.Frozen
	}
	stage := 0 // of the stem
	if rest, ok := strings.CutPrefix(parts[1], "layer"); ok {
		stage, _ = strconv.Atoi(rest)
	}
	if n.cfg.CutAfter > 0 && stage <= n.cfg.CutAfter {
		return models.Frozen
	}
	return models.Backbone
}

// isNorm takes the last three parts of a path.
func isNorm(parts []string) bool {
	return strings.HasPrefix(parts[1], "bn") || parts[0] == "downsample" && parts[1] == "1"
}
