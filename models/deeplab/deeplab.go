// Package deeplab builds the segmentation networks DeepLab-v1 (LargeFOV;
// docs/sources.md §8.1), DeepLab-v2 (§8.1)
// and DeepLab-v3+ (docs/sources.md §8.2) on a backbone. They register themselves
// as architectures.
package deeplab

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/layers"
	"wsss/models/weights"
)

// The architectures, as configs name them.
const (
	V1     = "deeplab-v1" // on vgg16 DeepLab-LargeFOV
	V2     = "deeplab-v2"
	V3Plus = "deeplab-v3plus" // VainF of docs/sources.md §8.2
	// V3PlusMultiGrid is JFZ of docs/sources.md §8.2: multi-grid, two convolutions in
	// the decoder, aligned corners, more dropout.
	V3PlusMultiGrid = "deeplab-v3plus-multigrid"
)

func init() {
	for _, arch := range []string{V2, V3Plus, V3PlusMultiGrid, V1} {
		models.RegisterArchitecture(arch, models.Architecture{New: New, OutputStrides: []int{8, 16}, PoolsImage: arch != V1 && arch != V2})
	}
}

// Scopes of a network's variables below the one passed to Logits.
const (
	fcScope   = "fc"         // v1's head
	asppScope = "aspp"       // v2's head
	headScope = "classifier" // v3+'s head
)

// network is any of the architectures.
type network struct {
	backbone  models.Backbone
	stride    int // of the backbone's output
	arch      string
	classes   int
	trainNorm bool
	width     float64
	v3        v3Plus
	momentum  float64 // of the running statistics; 0 = the architecture's
	half      bool    // train in bfloat16
	// keepBackbone: trainNorm is meant for the head alone.
	keepBackbone bool
}

// New returns the network that the keys arch, backbone, width, output_stride,
// stride_in, batch_norm, bn_momentum, precision and recompute describe, for
// numClasses classes, background included. Width scales the backbone, and the inner layers of v3+'s
// head.
//
// Initial weights depend on the store's parameter model.ParamInitialSeed
// (int64) alone; dropout draws from the store's random state.
func New(cfg configs.Train, numClasses int) (models.Segmenter, error) {
	n := &network{
		stride: cfg.OutputStride, arch: cfg.Arch, classes: numClasses, width: cfg.Width, momentum: cfg.BNMomentum,
		half: cfg.Precision == "bf16",
	}
	backbone := models.BackboneOptions{Width: cfg.Width, OutputStride: cfg.OutputStride, Recompute: cfg.Recompute}
	switch cfg.Arch {
	case V1, V2:
		backbone.CeilPool, backbone.Dilation = true, models.DilateAll
	case V3Plus:
		backbone.Dilation, n.v3 = models.DilateLate, v3Usual
	case V3PlusMultiGrid:
		backbone.Dilation, n.v3 = models.DilateMultiGrid, v3MultiGrid
	default:
		return nil, fmt.Errorf("train.network.arch %q is unknown: allowed are %s, %s, %s, %s", cfg.Arch, V1, V2, V3Plus, V3PlusMultiGrid)
	}
	switch cfg.StrideIn {
	case "1x1":
		backbone.StrideIn1x1 = true
	case "3x3":
	default:
		return nil, fmt.Errorf("train.network.stride_in %q is unknown: allowed are 1x1 (Caffe), 3x3 (torchvision)", cfg.StrideIn)
	}
	switch cfg.BatchNorm {
	case "train":
		n.trainNorm = true
	case "head":
		n.trainNorm, n.keepBackbone = true, true
	case "frozen":
	default:
		return nil, fmt.Errorf("train.network.batch_norm %q is unknown: allowed are frozen, head, train", cfg.BatchNorm)
	}
	if cfg.OutputStride != 8 && cfg.OutputStride != 16 {
		return nil, fmt.Errorf("train.network.output_stride %d is unknown: allowed are 8, 16", cfg.OutputStride)
	}
	var err error
	if n.backbone, err = models.BackboneByName("train.network.backbone", cfg.Backbone, backbone); err != nil {
		return nil, err
	}
	return n, nil
}

// Logits is models.Segmenter's: one map, of v1 and v2 with a stride of
// output_stride, of v3+ of the size of the images.
func (n *network) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	return []*Node{n.logits(layers.Net{Training: training, TrainNorm: n.trainNorm, Momentum: n.momentum}, scope, images)}
}

// OnCanvas is models.CanvasSegmenter's.
func (n *network) OnCanvas() bool {
	_, ok := n.backbone.(models.CanvasBackbone)
	return ok
}

// LogitsWithin is models.CanvasSegmenter's.
func (n *network) LogitsWithin(scope *model.Scope, images, size *Node) (logits, logitsSize *Node) {
	net := layers.Net{TrainNorm: n.trainNorm, Momentum: n.momentum, Canvas: layers.NewCanvas(images, size)}
	logits = n.logits(net, scope, images)
	return logits, net.Canvas.Size(logits)
}

func (n *network) logits(net layers.Net, scope *model.Scope, images *Node) *Node {
	switch n.arch {
	case V1:
		return n.v1(net, scope, images)
	case V2:
		return n.v2(net, scope, images)
	}
	return n.v3plus(net, scope, images)
}

// stages is the backbone. With precision bf16 it, and what follows, computes in
// bfloat16 while training: products still sum in float32, and batch statistics
// and logits are float32.
func (n *network) stages(net layers.Net, scope *model.Scope, images *Node) [4]*Node {
	if n.half && net.Training {
		images = ConvertDType(images, dtypes.BFloat16)
	}
	net.TrainNorm = net.TrainNorm && !n.keepBackbone
	return n.backbone.Stages(net, scope.At(models.BackboneScope), images)
}

// Adapt is models.WeightAdapter's.
func (n *network) Adapt(src weights.Source) weights.Source {
	return models.Adapt(n.backbone, src)
}

// NormFree is models.NormFree's: the heads of v1 and v2 are convolutions alone.
func (n *network) NormFree() bool {
	return (n.arch == V1 || n.arch == V2) && models.IsNormFree(n.backbone)
}

// Group is models.Segmenter's: biases of the heads of v1 and v2 get HeadBias, v3+
// has no such group.
func (n *network) Group(path string) models.Group {
	parts := strings.Split(path, "/")
	leaf := parts[len(parts)-1]
	if leaf != "weight" && leaf != "bias" {
		return models.GroupFrozen // running statistics
	}
	if i := slices.Index(parts, models.BackboneScope); i >= 0 {
		if (!n.trainNorm || n.keepBackbone) && n.backbone.IsNorm(strings.Join(parts[i+1:], "/")) {
			return models.GroupFrozen
		}
		return models.GroupBackbone
	}
	if !n.trainNorm && headNorms.MatchString(strings.Join(parts[:len(parts)-1], "/")) {
		return models.GroupFrozen
	}
	for _, p := range parts {
		switch {
		case (p == asppScope || p == fcScope) && leaf == "bias" && (n.arch == V1 || n.arch == V2):
			return models.GroupHeadBias
		case p == asppScope || p == headScope || p == fcScope:
			return models.GroupHead
		}
	}
	return models.GroupFrozen
}

// Layers is models.Layered's: the stem and the stages of the backbone.
func (n *network) Layers() int { return models.Stages + 1 }

// Layer is models.Layered's.
func (n *network) Layer(path string) int {
	parts := strings.Split(path, "/")
	if i := slices.Index(parts, models.BackboneScope); i >= 0 {
		return n.backbone.Stage(strings.Join(parts[i+1:], "/"))
	}
	return n.Layers()
}

// headNorms are the modules of batch normalisation in a head; the others of a
// Sequential are convolutions.
var headNorms = regexp.MustCompile(`(^|/)(project/1|aspp/convs/[0-3]/1|` + poolNorm + `|classifier/classifier/[15])$`)
