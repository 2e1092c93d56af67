// Package models holds what the networks of wsss share. Each family has its
// own sub-package: backend, layers, resnet, deeplab, weights, onnximport and
// the foundation models.
package models

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Group is the learning-rate group of a variable (docs/sources.md §8.1).
type Group int

// The learning-rate groups.
const (
	Frozen   Group = iota // never updated: batch-norm statistics, scale and shift when frozen
	Backbone              // × 1
	Head                  // × head_mult
	HeadBias              // × bias_mult, no weight decay
)

// Segmenter is a trainable segmentation network.
type Segmenter interface {
	// Logits builds the graph for images [batch, height, width, 3], already
	// normalised, and returns one or more logit maps [batch, h', w', classes].
	// In training the loss is summed over all of them (MSC gives four); the
	// last is the one to evaluate, and the only one when training is false.
	Logits(scope *model.Scope, images *graph.Node, training bool) []*graph.Node
	// Group tells how the optimiser treats the variable with this path.
	Group(variablePath string) Group
}

// CanvasSegmenter is a Segmenter that images of many sizes share a graph of.
type CanvasSegmenter interface {
	Segmenter
	// LogitsWithin is the map to evaluate of images that are size, [height,
	// width] as float32, in the upper left corner of images [batch, h, w, 3],
	// and of what size the map is, in its corner: as if each image were alone.
	LogitsWithin(scope *model.Scope, images, size *graph.Node) (logits, logitsSize *graph.Node)
}
