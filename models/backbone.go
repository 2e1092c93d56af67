package models

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models/layers"
	"wsss/models/onnxwrite"
	"wsss/models/weights"
)

// Stages counts the outputs of a backbone: the first has a quarter of the
// images' sides, each further one half of those before it until
// BackboneOptions.OutputStride is reached.
const Stages = 4

// BackboneScope holds the variables of a network's backbone.
const BackboneScope = "backbone"

// Backbone turns images into features. Paths of variables are given below its
// scope ("layer1/0/bn1/weight").
type Backbone interface {
	// Stages builds the graph for images [batch, height, width, 3] and returns
	// the outputs of the stages, [batch, h, w, channels]. scope holds its
	// variables. It panics on errors, as graph code does.
	Stages(net layers.Net, scope *model.Scope, images *graph.Node) [Stages]*graph.Node
	// IsNorm tells the variables of batch normalisation, which
	// train.network.batch_norm = "frozen" keeps.
	IsNorm(path string) bool
	// Stage is the stage of a variable counted from 1; 0 is the stem before the
	// first, where BackboneOptions.CutAfter begins to count.
	Stage(path string) int
	// Rename gives the variable for a tensor of a weight file, both as state-dict
	// names ("layer1.0.conv1.weight"), if it is one of the backbone's.
	Rename(tensor string) (name string, ok bool)
	// CheckWeights is WeightReader's.
	CheckWeights(m weights.Mapping, t configs.Train) error
}

// CanvasBackbone is a backbone that heeds layers.Net.Canvas: images of many sizes
// share its graph.
type CanvasBackbone interface {
	Backbone
	OnCanvas()
}

// CAMBackbone is a backbone whose network of class activation maps was published
// with a layout of its own, BackboneOptions.Dilation being DilatePublished. Others
// have IRN's: output stride 16 without dilation.
type CAMBackbone interface {
	Backbone
	// CAMStride is the pixels of an image per pixel of its maps.
	CAMStride() int
	// CAMRoot tells that a map is the square root of what the classifier gives.
	CAMRoot() bool
}

// ONNXBackbone is a backbone that can be written as an ONNX graph.
type ONNXBackbone interface {
	// ONNX appends the backbone, whose state-dict names begin with prefix
	// ("backbone."), and returns the outputs of the stages for images [batch, 3,
	// height, width].
	ONNX(b *onnxwrite.Builder, prefix string, images onnxwrite.Value) [Stages]onnxwrite.Value
}

// NewBackbone checks options and builds a backbone. The error says what is
// allowed; an option that the backbone has no use for is no error.
type NewBackbone func(o BackboneOptions) (Backbone, error)

// BackboneOptions are what networks ask of a backbone.
type BackboneOptions struct {
	Width        float64 // channel multiplier; 0 means 1
	OutputStride int     // input pixels per pixel of the last stage: 8, 16 or 32
	StrideIn1x1  bool    // bottlenecks stride in their first 1×1 convolution (Caffe), not in the 3×3 one
	CeilPool     bool    // the max-pool of the stem rounds its size up (Caffe)
	Dilation     Dilation
	NoDropout    bool // its dropout is left out
	// CutAfter stops the gradient behind the stem and so many stages; 0 = nowhere.
	CutAfter int
	// DropPath is the chance that training leaves out the last residual branch of
	// an image, less for earlier ones; for transformers.
	DropPath float64
	// Recompute, if not 0, is how many blocks the backward pass computes again
	// together instead of keeping what is inside them (layers.Recompute).
	Recompute int
}

// CheckFor tells what is wrong with the options that every convolutional backbone
// has, of one that is called name in errors and can have these output strides.
func (o BackboneOptions) CheckFor(name string, strides ...int) error {
	if !slices.Contains(strides, o.OutputStride) {
		allowed := strings.Trim(strings.ReplaceAll(fmt.Sprint(strides), " ", ", "), "[]")
		return fmt.Errorf("%s output stride %d is unknown: allowed are %s", name, o.OutputStride, allowed)
	}
	if o.CutAfter < 0 || o.CutAfter > 3 {
		return fmt.Errorf("%s gradient cut after stage %d: allowed are 0 (nowhere) to 3", name, o.CutAfter)
	}
	if o.Width < 0 || o.Width > 16 || math.IsNaN(o.Width) {
		return fmt.Errorf("%s width %v is out of range: allowed are 0 (meaning 1) to 16", name, o.Width)
	}
	return nil
}

// Scaled applies the channel multiplier to a number of channels.
func (o BackboneOptions) Scaled(n int) int {
	if o.Width == 0 {
		return n
	}
	return max(1, int(math.Round(float64(n)*o.Width)))
}

// Dilation says which dilation the blocks of a stage get once its stride has
// been replaced by dilation.
type Dilation int

// The dilations in use.
const (
	// DilateAll gives every block the dilation of its stage (DeepLab-v2, docs/sources.md §8.1).
	DilateAll Dilation = iota
	// DilateLate keeps the dilation of the stage before in the first block, as
	// torchvision's replace_stride_with_dilation.
	DilateLate
	// DilateMultiGrid is DilateAll with the blocks of the last stage dilated a
	// further 1, 2, 4 times (the JFZ networks of docs/sources.md §8.2).
	DilateMultiGrid
	// DilateNone dilates nothing: stages beyond the output stride just have stride
	// 1 (IRN's CAM network, docs/sources.md §11.1).
	DilateNone
	// DilatePublished is a CAMBackbone's own, as its network of class activation
	// maps was published, dropout before the classifier included.
	DilatePublished
)

// RenameBackbone gives the variable of a network for a tensor of a weight file
// that is one of its backbone's.
func RenameBackbone(b Backbone, tensor string) (name string, ok bool) {
	if name, ok = b.Rename(tensor); ok {
		name = BackboneScope + "." + name
	}
	return name, ok
}

// RenameTensor is WeightReader's Rename for a network whose other names are its
// own: those of the backbone, which training scripts may have wrapped.
func RenameTensor(b Backbone, tensor string) string {
	if strings.HasSuffix(tensor, ".num_batches_tracked") {
		return ""
	}
	tensor = weights.Unwrap(tensor)
	if name, ok := RenameBackbone(b, tensor); ok {
		return name
	}
	return tensor
}
