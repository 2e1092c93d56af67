// Package camnet is the network behind class activation maps (docs/sources.md §11.1): a
// ResNet of output stride 16 without dilation, or another backbone as its own such
// network was published (§11.7, §11.8), and a bias-free 1×1 classifier on its
// pooled features. Without the pooling the classifier tells where each
// class is.
package camnet

import (
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
	_ "wsss/models/nets" // backbones
)

// stride is the image pixels per pixel of a map, but of a models.CAMBackbone.
const stride = 16

// Scopes of the variables below the one passed to Logits.
const (
	backboneScope   = models.BackboneScope
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
	Backbone  string  // a registered backbone, such as resnet50
	Width     float64 // channel multiplier; 1 = the published size
	StrideIn  string  // bottleneck convolution that strides: "3x3" (torchvision, IRN) or "1x1" (Caffe)
	BatchNorm string  // Running, Frozen or Train
	CutAfter  int     // the gradient ends behind the stem and so many stages
	Classes   int     // background not counted
	Input     string  // how photos are normalised (imageproc.NormOf): "torch", "caffe"; "" = torch
}

// Network is a network by its config. Its methods build graphs, and panic on
// errors.
type Network struct {
	cfg      Config
	backbone models.Backbone
	stride   int
	root     bool // maps are square roots
}

// New checks a config.
func New(c Config) (*Network, error) {
	if c.StrideIn != "3x3" && c.StrideIn != "1x1" || !slices.Contains([]string{Running, Frozen, Train}, c.BatchNorm) || c.Classes < 1 || c.Classes > maxClasses {
		return nil, fmt.Errorf("a CAM network with stride in %q, batch norm %q, %d classes: allowed are 3x3, 1x1; running, frozen, train; 1 to %d", c.StrideIn, c.BatchNorm, c.Classes, maxClasses)
	}
	const key = "classifier.network.backbone"
	o := models.BackboneOptions{Width: c.Width, OutputStride: stride, StrideIn1x1: c.StrideIn == "1x1", Dilation: models.DilateNone, CutAfter: c.CutAfter}
	n := &Network{cfg: c, stride: stride}
	var err error
	if n.backbone, err = models.BackboneByName(key, c.Backbone, o); err != nil {
		return nil, err
	}
	if own, ok := n.backbone.(models.CAMBackbone); ok {
		n.stride, n.root = own.CAMStride(), own.CAMRoot()
		o.OutputStride, o.Dilation = n.stride, models.DilatePublished
		n.backbone, err = models.BackboneByName(key, c.Backbone, o)
	}
	return n, err
}

// Stride is the image pixels per pixel of a map.
func (n *Network) Stride() int { return n.stride }

// Config returns what New was given.
func (n *Network) Config() Config { return n.cfg }

// features are [batch, h, w, channels]. canvas says how much of the images is
// image; nil is all.
func (n *Network) features(canvas *layers.Canvas, scope *model.Scope, images *Node, training bool) *Node {
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
	x := n.classify(scope, layers.MeanImage(n.features(nil, scope, images, training)), false)
	return Reshape(x, x.Shape().Dim(0), n.cfg.Classes)
}

// recamScope holds the second classifier of ReCAM, which only training has.
const recamScope = "recam"

// ReCAM are the logits of Logits, and those of ReCAM's second classifier [batch,
// classes, classes]: of the features of each class, which are all pixels weighed
// by the class's map (docs/sources.md §11.6).
func (n *Network) ReCAM(scope *model.Scope, images *Node, training bool) (logits, ofClasses *Node) {
	f := n.features(nil, scope, images, training)
	x := n.classify(scope, layers.MeanImage(f), false)
	maps := n.classify(scope, f, true)
	maps = Div(maps, AddScalar(ReduceAndKeep(maps, ReduceMax, 1, 2), 1e-5))
	d := f.Shape().Dimensions
	of := MulScalar(Einsum("bhwk,bhwc->bkc", maps, f), 1/float64(d[1]*d[2]))
	std := 1 / math.Sqrt(3*float64(d[3]))
	y := layers.Net{}.Conv(scope, recamScope, Reshape(of, d[0], 1, n.cfg.Classes, d[3]), n.cfg.Classes, 1, false, std, layers.ConvOptions{})
	return Reshape(x, d[0], n.cfg.Classes), Reshape(y, d[0], n.cfg.Classes, n.cfg.Classes)
}

// Maps are the class activation maps after ReLU, [batch, ⌈height/Stride⌉,
// ⌈width/Stride⌉, classes]. With a canvas, nil where the images fill their array,
// those of an image lie in the corner, as if it were alone.
func (n *Network) Maps(canvas *layers.Canvas, scope *model.Scope, images *Node) *Node {
	maps := n.classify(scope, n.features(canvas, scope, images, false), true)
	if n.root {
		maps = Sqrt(maps)
	}
	return maps
}

// onCanvas tells whether images of many sizes may share a graph.
func (n *Network) onCanvas() bool {
	_, ok := n.backbone.(models.CanvasBackbone)
	return ok
}

// Group tells how the optimiser treats the variable of a path: what lies
// before the cut of the gradient is frozen, weight decay included, as PyTorch
// leaves parameters without a gradient alone.
func (n *Network) Group(path string) models.Group {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	leaf := parts[len(parts)-1]
	switch {
	case parts[0] == classifierScope || parts[0] == recamScope:
		return models.GroupHead
	case parts[0] != backboneScope || leaf != "weight" && leaf != "bias":
		return models.GroupFrozen
	}
	below := strings.Join(parts[1:], "/")
	if n.cfg.BatchNorm == Frozen && n.backbone.IsNorm(below) {
		return models.GroupFrozen
	}
	if n.cfg.CutAfter > 0 && n.backbone.Stage(below) <= n.cfg.CutAfter {
		return models.GroupFrozen
	}
	return models.GroupBackbone
}
