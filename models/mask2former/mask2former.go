// Package mask2former builds Mask2Former (Cheng et al., "Masked-attention Mask
// Transformer for Universal Image Segmentation", CVPR 2022): a backbone, a pixel
// decoder of multi-scale deformable attention, and queries that find one mask
// each by masked attention. It learns by matching queries with the masks of the
// classes of an image. It registers itself as an architecture.
//
// Variables have the names of Meta's networks: backbone.…,
// sem_seg_head.pixel_decoder.…, sem_seg_head.predictor.….
package mask2former

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/layers"
)

// Arch is the architecture, as configs name it.
const Arch = "mask2former"

func init() {
	models.RegisterArchitecture(Arch, models.Architecture{New: New, OutputStrides: []int{32}})
}

// Scopes of the variables beside models.BackboneScope.
const (
	headScope      = "sem_seg_head"
	pixelScope     = "pixel_decoder"
	predictorScope = "predictor"
)

// levels are the maps that pixel decoder and queries attend to, from stride 32 to
// stride 8.
const levels = 3

// groups are those of the pixel decoder's normalisations.
const groups = 32

// Options are the sizes of the network and the weights of its loss.
type Options = configs.Mask2Former

// Published are the options of the paper.
func Published() Options {
	return Options{
		Queries: 100, Layers: 9, EncoderLayers: 6, Channels: 256, Heads: 8, FeedForward: 2048, EncoderFeedForward: 1024, DropPath: 0.3,
		Points: 12544, Oversample: 3, Importance: 0.75, Objects: 8,
		NoObject: 0.1, ClassWeight: 2, MaskWeight: 5, DiceWeight: 5,
	}
}

// network is the architecture.
type network struct {
	Options
	backbone  models.Backbone
	classes   int
	trainNorm bool
	momentum  float64
	half      bool // the backbone trains in bfloat16
	noise     noise
}

// New returns the network that a [train] table describes, for so many classes,
// background included.
func New(t configs.Train, classes int) (models.Segmenter, error) {
	n := &network{Options: t.Mask2Former.Or(Published()), classes: classes, trainNorm: t.BatchNorm == "train", momentum: t.BNMomentum,
		half: t.Precision == "bf16", noise: newNoise(t)}
	if err := n.check(); err != nil {
		return nil, err
	}
	if t.OutputStride != 32 {
		return nil, fmt.Errorf("train.network.output_stride = %d: allowed is 32", t.OutputStride)
	}
	var err error
	n.backbone, err = models.BackboneByName("train.network.backbone", t.Backbone, models.BackboneOptions{
		Width: t.Width, OutputStride: t.OutputStride, StrideIn1x1: t.StrideIn == "1x1", Recompute: t.Recompute, DropPath: n.DropPath,
	})
	return n, err
}

// check compares options with each other; each alone is checked with the config.
func (n *network) check() error {
	if n.Channels%groups != 0 || n.Channels%n.Heads != 0 {
		return fmt.Errorf("train.mask2former.channels = %d: allowed are multiples of %d that train.mask2former.heads = %d divides", n.Channels, groups, n.Heads)
	}
	if int(n.Importance*float64(n.Points)) > int(n.Oversample*float64(n.Points)) {
		return fmt.Errorf("train.mask2former.oversample = %g: allowed are numbers from train.mask2former.importance = %g on", n.Oversample, n.Importance)
	}
	return nil
}

// net says how layers behave. Heads start as PyTorch's linear layers do.
func (n *network) net(training bool) layers.Net {
	return layers.Net{Training: training, TrainNorm: n.trainNorm, Momentum: n.momentum}
}

// prediction is what the queries say after a layer.
type prediction struct {
	classes *Node // logits [batch, queries, classes+1], the last one for no object
	masks   *Node // logits [batch, h, w, queries], a quarter of the images' sides
}

// predict is the network: one prediction of the queries as they begin, and one
// after each layer.
func (n *network) predict(net layers.Net, scope *model.Scope, images *Node) []prediction {
	if n.half && net.Training {
		images = ConvertDType(images, dtypes.BFloat16)
	}
	stages := n.backbone.Stages(net, scope.At(models.BackboneScope), images)
	for i, s := range stages {
		stages[i] = ConvertDType(s, dtypes.Float32)
	}
	head := scope.At(headScope)
	features, maps := n.pixels(net, head.At(pixelScope), stages)
	return n.queries(net, head.At(predictorScope), features, maps)
}

// least is the lowest score of a class, so that its logarithm is a number.
const least = 1e-4

// Logits is models.Segmenter's: logarithms of the classes' scores, [batch,
// height, width, classes]; a score is the sum over queries of the probability of
// the class times that of the query's mask.
func (n *network) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	all := n.predict(n.net(training), scope, images)
	last := all[len(all)-1]
	b, h, w := images.Shape().Dim(0), images.Shape().Dim(1), images.Shape().Dim(2)
	masks := Sigmoid(Reshape(layers.Resize(last.masks, h, w, false), b, h*w, n.Queries))
	classes := Slice(layers.SoftmaxLast(last.classes), AxisRange(), AxisRange(), AxisRange(0, n.classes))
	scores := DotGeneral(masks, []int{2}, []int{0}, classes, []int{1}, []int{0})
	return []*Node{Log(MaxScalar(Reshape(scores, b, h, w, n.classes), least))}
}

// NormFree is models.NormFree's: the decoders normalise groups of channels and
// tokens.
func (n *network) NormFree() bool { return models.IsNormFree(n.backbone) }

// Group is models.Segmenter's.
func (n *network) Group(path string) models.Group {
	leaf := path[strings.LastIndex(path, "/")+1:]
	if leaf == "running_mean" || leaf == "running_var" {
		return models.GroupFrozen
	}
	if _, rest, ok := strings.Cut(path, "/"+models.BackboneScope+"/"); ok {
		if !n.trainNorm && n.backbone.IsNorm(rest) {
			return models.GroupFrozen
		}
		return models.GroupBackbone
	}
	return models.GroupHead
}

// IsEmbedding is models.Embedder's: the queries, and what tells levels apart.
func (n *network) IsEmbedding(path string) bool {
	for _, table := range []string{"query_feat", "query_embed", "level_embed"} {
		if strings.HasSuffix(path, "/"+table+"/weight") {
			return true
		}
	}
	return false
}

// Layers is models.Layered's.
func (n *network) Layers() int {
	if b, ok := n.backbone.(models.Layered); ok {
		return b.Layers()
	}
	return models.Stages + 1
}

// Layer is models.Layered's: that of the backbone, in blocks where it tells them,
// else in stages.
func (n *network) Layer(path string) int {
	_, below, ok := strings.Cut(path, "/"+models.BackboneScope+"/")
	if !ok {
		return n.Layers()
	}
	if b, ok := n.backbone.(models.Layered); ok {
		return b.Layer(below)
	}
	return n.backbone.Stage(below)
}

// xavier is the deviation of Xavier's initial weights.
func xavier(in, out int) float64 { return math.Sqrt(2 / float64(in+out)) }
