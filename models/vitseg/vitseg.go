// Package vitseg builds segmentation networks on a plain vision transformer: a
// linear layer on its patches (vit-linear, as DINOv2 is judged), or Segmenter's
// mask transformer (vit-mask; Strudel and others, 2021), in which a token per
// class attends to the patches and to the other classes, and the product of both
// is the mask. They register themselves as architectures.
package vitseg

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/vit"
	"wsss/models/weights"
)

// The architectures, as configs name them.
const (
	Linear = "vit-linear"
	Mask   = "vit-mask"
)

func init() {
	for _, arch := range []string{Linear, Mask} {
		models.RegisterArchitecture(arch, models.Architecture{New: New, OutputStrides: []int{8, 16, 32}, Freezes: true})
	}
}

// Scopes of a network's variables beside those of its backbone.
const (
	headScope    = "head"
	decoderScope = "decoder"
)

// decoderBlocks are those of Segmenter's mask transformer.
const decoderBlocks = 2

// logitStride is the image's pixels per pixel of the logits.
const logitStride = 4

// network is either of the architectures.
type network struct {
	vit     vit.Config
	classes int
	mask    bool
	frozen  bool // the backbone learns nothing
	half    bool // train in bfloat16
}

// New returns the network that the keys arch, backbone, width, frozen, precision
// and recompute describe, for so many classes, background included. A plain
// transformer has no stages: output_stride, stride_in and batch_norm say nothing.
func New(t configs.Train, classes int) (models.Segmenter, error) {
	c, err := vit.Named("train.network.backbone", t.Backbone, t.Width)
	if err != nil {
		return nil, err
	}
	c.Recompute = t.Recompute
	return &network{vit: c, classes: classes, mask: t.Arch == Mask, frozen: t.Frozen, half: t.Precision == "bf16"}, c.Check()
}

// Logits is models.Segmenter's: one map of a quarter of the images' sides,
// rounded up. Images of the backbone's width in channels are taken for what
// Features gave.
func (n *network) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	net := layers.Net{Training: training, Epsilon: n.vit.Epsilon}
	h, w := images.Shape().Dim(1), images.Shape().Dim(2)
	x := images
	if images.Shape().Dim(3) == 3 {
		if n.half && training {
			x = ConvertDType(x, dtypes.BFloat16)
		}
		if x = n.vit.Tokens(net, scope.At(models.BackboneScope), x).Patches; n.frozen {
			x = StopGradient(x)
		}
	} else {
		h, w = h*n.vit.Patch, w*n.vit.Patch
	}
	if n.mask {
		x = n.masks(net, scope.At(decoderScope), x)
	} else {
		x = net.Dense(scope, headScope, x, n.classes, true, 0.01)
	}
	return []*Node{n.enlarge(ConvertDType(x, dtypes.Float32), h, w)}
}

// Features are what a frozen backbone makes of images, [batch, h, w, width]: all
// that the head sees of them.
func (n *network) Features(scope *model.Scope, images *Node) *Node {
	return n.vit.Features(scope.At(models.BackboneScope), images, 0)
}

// Patch is the side of the squares of pixels that Features has a vector for.
func (n *network) Patch() int { return n.vit.Patch }

// enlarge scales logits of patches [batch, rows, columns, classes] to a quarter of
// an image of h×w pixels, which covers the first patches, and the last in part.
func (n *network) enlarge(x *Node, h, w int) *Node {
	rows, cols := (h+logitStride-1)/logitStride, (w+logitStride-1)/logitStride
	per := func(side, of int) float64 { return float64(n.vit.Patch) * float64(of) / float64(side) }
	x = layers.ResizeBy(x, rows, x.Shape().Dim(2), per(h, rows))
	return layers.ResizeBy(x, rows, cols, per(w, cols))
}

// masks is Segmenter's mask transformer: patches [batch, h, w, width] to logits
// [batch, h, w, classes].
func (n *network) masks(net layers.Net, s *model.Scope, x *Node) *Node {
	const std = 0.02
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	x = net.Dense(s, "proj_dec", Reshape(x, b, h*w, c), c, true, std)
	classes := ConvertDType(net.Param(s, "cls_emb", x.Graph(), std, 1, n.classes, c), x.DType())
	x = Concatenate([]*Node{x, BroadcastToDims(classes, b, n.classes, c)}, 1)
	block := n.vit
	block.LayerScale, block.QuickGELU, block.DropPath = false, false, 0
	for i := range decoderBlocks {
		x = block.Block(net, s.At("blocks").At("%d", i), x)
	}
	x = net.LayerNorm(s, "decoder_norm", x)
	patches := unit(net.Dense(s, "proj_patch", Slice(x, AxisRange(), AxisRange(0, h*w)), c, false, std))
	of := unit(net.Dense(s, "proj_classes", Slice(x, AxisRange(), AxisRangeToEnd(h*w)), c, false, std))
	y := DotGeneral(patches, []int{2}, []int{0}, of, []int{2}, []int{0})
	return Reshape(net.LayerNorm(s, "mask_norm", y), b, h, w, n.classes)
}

// unit scales vectors [..., channels] to length 1.
func unit(x *Node) *Node {
	return Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceSum, -1), 1e-12)))
}

// NormFree is models.NormFree's.
func (n *network) NormFree() bool { return true }

// Group is models.Segmenter's.
func (n *network) Group(path string) models.Group {
	if below, ok := inBackbone(path); ok {
		if n.frozen || below == "" {
			return models.GroupFrozen
		}
		return models.GroupBackbone
	}
	return models.GroupHead
}

// inBackbone is the path below the backbone's scope.
func inBackbone(path string) (below string, ok bool) {
	_, below, ok = strings.Cut("/"+strings.TrimPrefix(path, "/"), "/"+models.BackboneScope+"/")
	return below, ok
}

// Layers is models.Layered's.
func (n *network) Layers() int { return n.vit.Depth + 1 }

// Layer is models.Layered's.
func (n *network) Layer(path string) int {
	if below, ok := inBackbone(path); ok {
		return n.vit.Layer(below)
	}
	return n.Layers()
}

// Rename is models.WeightReader's.
func (n *network) Rename(tensor string) string {
	if name, ok := vit.Module(tensor); ok {
		return models.BackboneScope + "." + name
	}
	return tensor
}

// CheckWeights is models.WeightReader's.
func (n *network) CheckWeights(_ weights.Mapping, t configs.Train) error {
	if t.Input == "caffe" {
		return fmt.Errorf("weights of plain transformers are for train.network.input = \"torch\", \"tf\" or \"clip\", not %q", t.Input)
	}
	return nil
}

// Adapt is models.WeightAdapter's.
func (n *network) Adapt(src weights.Source) weights.Source { return vit.Open(src, n.vit) }
