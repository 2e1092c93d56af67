// Package irn is the networks of inter-pixel relations: AffinityNet (see the type of
// that name), and IRN's (docs/sources.md §11.2):
// on a frozen ResNet, one branch that finds the boundaries between classes and
// one that points from every pixel to the centre of its object. It learns from
// pairs of near pixels in confident labels; its boundaries steer the random walk
// that completes class activation maps.
package irn

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/layers"
	"wsss/models/resnet"
)

// Stride is the image pixels per pixel of the outputs.
const Stride = 4

const (
	backboneScope = models.BackboneScope
	shiftScope    = "mean_shift" // of the displacements, found after training
)

// Config is the layout of a network.
type Config struct {
	Backbone string  // resnet50; resnet18, resnet34, resnet101
	Width    float64 // channel multiplier of the backbone; 1 = the published size
	Head     float64 // the same of the branches; at least a quarter
	StrideIn string  // bottleneck convolution that strides: "3x3" (torchvision, IRN) or "1x1" (Caffe)
	Input    string  // of AffinityNet, how photos are normalised (imageproc.NormOf): "torch", "caffe"; "" = torch
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
	if err != nil || c.StrideIn != "3x3" && c.StrideIn != "1x1" || !(c.Head >= 0.25 && c.Head <= 16) {
		return nil, fmt.Errorf("an IRN network of %q, stride in %q, branches of width %v: allowed are resnet18, 34, 50, 101; 3x3, 1x1; 0.25 to 16", c.Backbone, c.StrideIn, c.Head)
	}
	n := &Network{c, resnet.Config{Depth: depth, BackboneOptions: models.BackboneOptions{Width: c.Width, OutputStride: 16, StrideIn1x1: c.StrideIn == "1x1", Dilation: models.DilateNone}}}
	return n, n.backbone.Check()
}

// Config returns what New was given.
func (n *Network) Config() Config { return n.cfg }

// Outputs of images [batch, height, width, 3], RGB normalised as torchvision
// does, a quarter of their size, rounded up: the logits of boundaries [batch, h,
// w, 1], and displacements in pixels of the output, down and right, [batch, h, w,
// 2], less their mean unless training.
func (n *Network) Outputs(scope *model.Scope, images *Node, training bool) (edges, displacements *Node) {
	x := n.features(scope, images)
	return n.edges(scope, x), n.displacements(scope, x, training)
}

// Edges is the first output alone.
func (n *Network) Edges(scope *model.Scope, images *Node) *Node {
	return n.edges(scope, n.features(scope, images))
}

// features are the outputs of stem and stages, whose statistics and weights stay
// as they are, always.
func (n *Network) features(scope *model.Scope, images *Node) []*Node {
	stem, stages := n.backbone.StemAndStages(layers.Net{}, scope.At(backboneScope), images)
	x := []*Node{StopGradient(stem)}
	for _, s := range stages {
		x = append(x, StopGradient(s))
	}
	return x
}

// branch is a 1×1 convolution, group normalisation, enlargement and ReLU, cut to
// the size of like.
func branch(scope *model.Scope, name string, x *Node, channels, groups, enlarge int, like *Node) *Node {
	d := x.Shape().Dimensions
	y := conv(scope, name+".0", x, channels, false)
	y = layers.Net{}.GroupNorm(scope, name+".1", y, groups)
	if enlarge > 1 {
		y = layers.Resize(y, d[1]*enlarge, d[2]*enlarge, false)
	}
	return cut(Where(GreaterThan(y, ScalarZero(y.Graph(), y.DType())), y, ZerosLike(y)), like)
}

// conv starts as PyTorch's convolutions do: weights and biases of the variance
// that its uniform distribution has.
func conv(scope *model.Scope, name string, x *Node, channels int, biased bool) *Node {
	std := 1 / math.Sqrt(3*float64(x.Shape().Dim(3)))
	return layers.Net{}.Conv(scope, name, x, channels, 1, biased, std, layers.ConvOptions{})
}

// cut is the upper left part of x of the size of like.
func cut(x, like *Node) *Node {
	h, w := like.Shape().Dim(1), like.Shape().Dim(2)
	if x.Shape().Dim(1) == h && x.Shape().Dim(2) == w {
		return x
	}
	return Slice(x, AxisRange(), AxisRange(0, h), AxisRange(0, w), AxisRange())
}

// wide is a number of channels of the branches.
func (n *Network) wide(channels int) int { return int(math.Round(float64(channels)*n.cfg.Head/8)) * 8 }

func (n *Network) edges(scope *model.Scope, x []*Node) *Node {
	c := n.wide(32)
	parts := make([]*Node, len(x))
	for i, enlarge := range []int{1, 1, 2, 4, 4} {
		parts[i] = branch(scope, fmt.Sprintf("fc_edge%d", i+1), x[i], c, 4, enlarge, x[1])
	}
	return conv(scope, "fc_edge6", Concatenate(parts, 3), 1, true)
}

func (n *Network) displacements(scope *model.Scope, x []*Node, training bool) *Node {
	d1 := branch(scope, "fc_dp1", x[0], n.wide(64), 8, 1, x[1])
	d2 := branch(scope, "fc_dp2", x[1], n.wide(128), 16, 1, x[1])
	d3 := branch(scope, "fc_dp3", x[2], n.wide(256), 16, 1, x[2])
	d4 := branch(scope, "fc_dp4", x[3], n.wide(256), 16, 2, x[2])
	d5 := branch(scope, "fc_dp5", x[4], n.wide(256), 16, 2, x[2])
	up := branch(scope, "fc_dp6", Concatenate([]*Node{d3, d4, d5}, 3), n.wide(256), 16, 2, x[1])
	last := branch(scope, "fc_dp7", Concatenate([]*Node{d1, d2, up}, 3), n.wide(256), 16, 1, x[1])
	y := conv(scope, "fc_dp7.3", last, 2, false)
	shift := shiftOf(scope)
	if training {
		return y
	}
	return Sub(y, Reshape(shift.NodeValue(y.Graph()), 1, 1, 1, 2))
}

// shiftOf is the variable of the mean displacement [2]: down and right.
func shiftOf(scope *model.Scope) *model.Variable {
	s := scope.At(shiftScope)
	if v := s.GetVariable("running_mean"); v != nil {
		return v
	}
	return s.VariableWithValue("running_mean", []float32{0, 0})
}

// SetShift sets the mean displacement, down and right, that Outputs takes off
// outside training.
func SetShift(scope *model.Scope, mean [2]float32) error {
	return shiftOf(scope).SetValue(tensors.FromValue(mean[:]))
}

// Group tells how the optimiser treats the variable of a path: the backbone is
// frozen, the displacements learn with the rate of a head, ten times that of the
// boundaries in IRN.
func (n *Network) Group(path string) models.Group {
	switch parts := strings.Split(strings.TrimPrefix(path, "/"), "/"); {
	case strings.HasPrefix(parts[0], "fc_edge"):
		return models.GroupBackbone
	case strings.HasPrefix(parts[0], "fc_dp"):
		return models.GroupHead
	}
	return models.GroupFrozen
}
