package irn

import (
	"fmt"
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
	_ "wsss/models/nets" // backbones
	"wsss/models/vgg"
)

// AffinityStride is the image pixels per pixel of AffinityNet's features.
const AffinityStride = 8

// AffinityNet is the network of Ahn & Kwak (CVPR 2018; docs/sources.md §11.3):
// features whose mean absolute difference, as a negative exponent, is the affinity
// of two pixels. Its backbone learns with them. Its methods build graphs, and panic
// on errors.
type AffinityNet struct {
	cfg      Config
	backbone models.Backbone
	norms    bool // the branches are normalised, as psa's on VGG-16
}

// affinityCut is the stage that psa's gradient ends behind.
const affinityCut = 2

// NewAffinityNet checks a config. Any backbone of output stride 8 serves; psa has
// wrn38 and vgg16. Head is a multiple of an eighth.
func NewAffinityNet(c Config) (*AffinityNet, error) {
	if !(c.Head >= 0.125 && c.Head <= 4) || c.Head*8 != math.Trunc(c.Head*8) {
		return nil, fmt.Errorf("an AffinityNet with branches of width %v: allowed are multiples of 0.125 up to 4", c.Head)
	}
	o := models.BackboneOptions{Width: c.Width, OutputStride: AffinityStride, StrideIn1x1: c.StrideIn == "1x1", Dilation: models.DilateLate, CutAfter: affinityCut}
	b, err := models.BackboneByName("irn.network.backbone", c.Backbone, o)
	if err != nil {
		return nil, err
	}
	n := &AffinityNet{cfg: c, backbone: b}
	if c.Backbone == vgg.Name {
		n.backbone, n.norms = vgg.Config{BackboneOptions: o, FC6: 4}, true
	}
	return n, nil
}

// Config returns what NewAffinityNet was given.
func (n *AffinityNet) Config() Config { return n.cfg }

// wide is a number of channels of the branches.
func (n *AffinityNet) wide(channels int) int { return int(float64(channels) * n.cfg.Head) }

// Features of images [batch, height, width, 3], normalised as torchvision does, at
// an eighth of their size, rounded up: [batch, h, w, 448 × Head].
func (n *AffinityNet) Features(scope *model.Scope, images *Node, training bool) *Node {
	stages := n.backbone.Stages(layers.Net{Training: training}, scope.At(backboneScope), images)
	var parts []*Node
	for i, channels := range []int{64, 128, 256} {
		x := stages[1+i]
		c := n.wide(channels)
		std := layers.Kaiming(1, 1, x.Shape().Dim(3)) // by fan in, as psa
		x = layers.Net{}.Conv(scope, fmt.Sprintf("f8_%d", 3+i), x, c, 1, false, std, layers.ConvOptions{})
		if n.norms {
			x = layers.Net{}.GroupNorm(scope, fmt.Sprintf("gn8_%d", 3+i), x, 8<<i)
		}
		parts = append(parts, elu(x))
	}
	x := Concatenate(parts, 3)
	c := x.Shape().Dim(3)
	std := 4 * math.Sqrt(1/float64(c)) // the deviation of Xavier's uniform distribution, gain 4
	return elu(layers.Net{}.Conv(scope, "f9", x, c, 1, false, std, layers.ConvOptions{}))
}

// elu is x where it is positive, and eˣ − 1 elsewhere.
func elu(x *Node) *Node {
	zero := ScalarZero(x.Graph(), x.DType())
	return Where(GreaterThan(x, zero), x, AddScalar(Exp(MinScalar(x, 0)), -1))
}

// Group tells how the optimiser treats the variable of a path: batch norm and the
// stages before the cut are frozen, the branches learn with the rate of a head.
func (n *AffinityNet) Group(path string) models.Group {
	root, below, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	leaf := below[strings.LastIndexByte(below, '/')+1:]
	switch {
	case leaf != "weight" && leaf != "bias":
		return models.GroupFrozen
	case strings.HasPrefix(root, "f8_") || root == "f9":
		return models.GroupHead
	case strings.HasPrefix(root, "gn8_"):
		return models.GroupBackbone
	case root != backboneScope || n.backbone.IsNorm(below) || n.backbone.Stage(below) <= affinityCut:
		return models.GroupFrozen
	}
	return models.GroupBackbone
}

// AffinityLosses are the three terms of AffinityNet's training; each is a scalar.
type AffinityLosses struct {
	Background *Node // −log affinity of pairs within the background
	Object     *Node // the same within objects of one class
	Different  *Node // −log(1 − affinity) of pairs of different labels
}

// Total is a quarter of each of the first two and half of the third.
func (l AffinityLosses) Total() *Node {
	return Add(MulScalar(Add(l.Background, l.Object), 0.25), MulScalar(l.Different, 0.5))
}

// AffinityLoss compares features of training with labels [batch, h, w] of the same
// size, as Loss does.
func AffinityLoss(features, labels *Node, classes, radius int) AffinityLosses {
	w := window{h: labels.Shape().Dim(1) - (radius - 1), w: labels.Shape().Dim(2) - 2*(radius-1), side: radius - 1}
	near := neighbours(radius)
	from := w.at(features, Offset{})
	all := make([]*Node, len(near))
	for i, n := range near {
		all[i] = ExpandAxes(Exp(Neg(ReduceMean(Abs(Sub(w.at(features, n.Offset), from)), 3))), 1)
	}
	affinity := Concatenate(all, 1)
	same, background, different := w.pairs(labels, near, classes)
	positive := Neg(Log(AddScalar(affinity, tinyLog)))
	negative := Neg(Log(AddScalar(OneMinus(affinity), tinyLog)))
	return AffinityLosses{
		Background: meanOver(positive, background, 1), Object: meanOver(positive, Sub(same, background), 1), Different: meanOver(negative, different, 1),
	}
}
