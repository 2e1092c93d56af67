package imagenet

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"
)

// Backbone is the part of a classifier before its pooling: a map of features.
// It is safe for concurrent use.
type Backbone struct{ c *Classifier }

// OpenBackbone reads a classifier as Open does, of any number of classes; weights
// may lack the linear layer.
// Options beside Stride and Shapes are not looked at.
func OpenBackbone(b compute.Backend, path string, o Options) (*Backbone, error) {
	c, err := openAny(b, path, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Backbone{c}, nil
}

// NewBackbone is a network of another kind: build makes the graph of its features
// [n, h, w, channels] for normalised images [n, height, width, 3], of variables
// that store has.
func NewBackbone(b compute.Backend, store *model.Store, o Options, build func(scope *model.Scope, images *Node) *Node) *Backbone {
	return &Backbone{&Classifier{engine: newNetwork(b, store, o, build), lacks: errors.New("a network without a linear layer")}}
}

// Fixed is the only size in pixels that images can have; 0 where that is open.
func (n *Backbone) Fixed() (w, h int) { return n.c.engine.fixed() }

// Gathers tells whether images that are asked for at the same time share runs, as
// far as they can; else several should be asked for in a call.
func (n *Backbone) Gathers() bool {
	_, ok := n.c.engine.(*onnxEngine)
	return ok
}

// Features are the features of n images: pixels are normalised, [n, h, w, 3], each
// result is [gridH, gridW, channels].
func (n *Backbone) Features(ctx context.Context, pixels []float32, images, w, h int) (values [][]float32, gridW, gridH int, err error) {
	all, err := n.c.engine.forward(ctx, pixels, images, w, h)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, f := range all {
		if n.c.lacks == nil && f.channels != n.c.channels {
			return nil, 0, 0, fmt.Errorf("the network gives %d features, its linear layer takes %d", f.channels, n.c.channels)
		}
		values, gridW, gridH = append(values, f.values), f.w, f.h
	}
	return values, gridW, gridH, nil
}
