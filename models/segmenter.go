// Package models holds what the networks of wsss share: the interfaces of a
// segmentation network and of a backbone, and the registries of both. Each
// family has its own sub-package, which registers itself; package nets links
// them.
package models

import (
	"errors"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models/onnxwrite"
	"wsss/models/weights"
)

// Group is the learning-rate group of a variable (docs/sources.md §8.1).
type Group int

// The learning-rate groups.
const (
	GroupFrozen   Group = iota // never updated: batch-norm statistics, scale and shift when frozen
	GroupBackbone              // × 1
	GroupHead                  // × head_mult
	GroupHeadBias              // × bias_mult, no weight decay
)

// Segmenter is a trainable segmentation network. One that knows the names
// of weight files is a WeightReader, too, one that other programs may run an
// ONNXWriter; As asks for them.
type Segmenter interface {
	// Logits builds the graph for images [batch, height, width, 3], already
	// normalised, and returns one or more logit maps [batch, h', w', classes].
	// In training the loss is summed over all of them (MSC gives four); the
	// last is the one to evaluate, and the only one when training is false.
	Logits(scope *model.Scope, images *graph.Node, training bool) []*graph.Node
	// Group tells how the optimiser treats the variable with this path.
	Group(variablePath string) Group
}

// Taught is a network that learns by a loss of its own, and need not have one
// logit per class.
type Taught interface {
	Segmenter
	// Loss compares one of the maps of Logits with labels [batch, h', w'] of its
	// size, classes or 255 where nobody knows.
	Loss(logits, labels *graph.Node) *graph.Node
}

// Lesson is what a network learns a batch from.
type Lesson struct {
	Images  *graph.Node // [batch, height, width, 3]
	Labels  *graph.Node // [batch, height, width] of uint8: classes, or 255 where nobody knows
	Weights *graph.Node // of the pixels, [batch, height, width] of float32 >= 0; nil = 1
	Present *graph.Node // the classes that each image's labels have, [batch, Learner.Places] of int32, −1 in places that are left
	Update  *graph.Node // its number counted from 1, a float32 scalar
	// Learned is 1 for classes whose pixels the options against wrong labels act on,
	// else 0, [classes] of float32; nil where Update decides.
	Learned *graph.Node
	// ClassWeights are those of each class in the means of the loss; nil = 1.
	ClassWeights []float64
	// Judge, if not nil, is to be called once with what the network thinks, logits
	// or scores [batch, h, w, classes], and with the labels at that size.
	Judge func(logits, labels *graph.Node)
}

// Learner is a network that learns by a loss of all that it gives, not of one map
// after the other, from labels of the images' size.
type Learner interface {
	Segmenter
	// Learn builds the graph of the loss, a scalar. It may draw random numbers from
	// the scope's store.
	Learn(scope *model.Scope, l Lesson) *graph.Node
	// Places is how many a lesson has for the classes of an image, where the image of
	// a batch that has the most has so many. Each number takes a graph of its own.
	Places(most int) int
}

// Layered is a network whose variables lie in layers, one behind the other.
type Layered interface {
	// Layer is that of a variable of the backbone, counted from 0 at the images;
	// what follows the backbone has Layers().
	Layer(variablePath string) int
	Layers() int
}

// Embedder is a network some of whose weights are tables of embeddings, though
// their names do not tell.
type Embedder interface {
	IsEmbedding(variablePath string) bool
}

// CanvasSegmenter is a Segmenter that images of many sizes share a graph of, if
// it says so.
type CanvasSegmenter interface {
	Segmenter
	OnCanvas() bool
	// LogitsWithin is the map to evaluate of images that are size, [height,
	// width] as float32, in the upper left corner of images [batch, h, w, 3],
	// and of what size the map is, in its corner: as if each image were alone.
	LogitsWithin(scope *model.Scope, images, size *graph.Node) (logits, logitsSize *graph.Node)
}

// WeightReader is a network that knows the names of weight files.
type WeightReader interface {
	// Rename gives the variable for a tensor of a weight file, both as state-dict
	// names ("backbone.layer2.0.conv1.weight"). Unknown names stay as they are;
	// "" means a tensor that is no weight.
	Rename(tensor string) string
	// CheckWeights compares what the names of a file tell about its network with
	// a [train] table; the error names the key to change.
	CheckWeights(m weights.Mapping, t configs.Train) error
}

// WeightAdapter is a network, or a backbone, some of whose files keep apart what
// it has together, or hold tensors in other shapes.
type WeightAdapter interface {
	// Adapt is the file as Rename and the shapes of the variables expect it.
	Adapt(src weights.Source) weights.Source
}

// Adapt is the file as v, a network or a backbone, expects it.
func Adapt(v any, src weights.Source) weights.Source {
	if a, ok := As[WeightAdapter](v); ok {
		return a.Adapt(src)
	}
	return src
}

// FeatureSegmenter is a network whose frozen backbone gives a map of features that
// is all that its head sees of an image.
type FeatureSegmenter interface {
	Segmenter
	// Features are [batch, h, w, channels], a vector for each square of Patch()
	// pixels, of images [batch, height, width, 3]. Logits takes them in the place
	// of images whose sides are multiples of Patch().
	Features(scope *model.Scope, images *graph.Node) *graph.Node
	Patch() int
}

// NormFree is a network, or a backbone, that may have no batch normalisation.
type NormFree interface {
	// NormFree tells that it has none: train.network.batch_norm says nothing to it,
	// and it starts from random numbers whatever the key is.
	NormFree() bool
}

// IsNormFree tells whether a network or a backbone is known to have no batch
// normalisation.
func IsNormFree(v any) bool {
	n, ok := As[NormFree](v)
	return ok && n.NormFree()
}

// ONNXWriter is a network that can be written as an ONNX graph.
type ONNXWriter interface {
	// ONNX appends the network to a graph, for images [batch, 3, height, width]
	// normalised as in training, and returns the map of Logits, [batch, classes, h',
	// w']. whole tells that it has the images' size; else it is to be enlarged
	// bilinearly. It gives ErrNoONNX where it wraps a network that is none.
	ONNX(b *onnxwrite.Builder, images onnxwrite.Value) (logits onnxwrite.Value, whole bool, err error)
}

// ErrNoONNX is the error of a network that cannot be written as an ONNX graph.
var ErrNoONNX = errors.New("the network cannot be written as an ONNX graph; safetensors holds its weights")

// As finds what a network, or the one that it wraps, can do besides: whether it is
// Layered, a WeightReader, a WeightAdapter. What a wrapper changes, it does itself.
func As[T any](net any) (v T, ok bool) {
	for {
		if v, ok = net.(T); ok {
			return v, true
		}
		w, wraps := net.(interface{ Unwrap() Segmenter })
		if !wraps {
			return v, false
		}
		net = w.Unwrap()
	}
}
