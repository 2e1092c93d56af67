package vgg

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/weights"
)

// The layers of ImageNet's VGG-16 behind its last pool.
const (
	fullChannels = 4096
	fullSide     = 7
	every        = 4 // of fullChannels is one of fc6 and fc7
)

// taps are those of the 7×7 pixels of fc6 that its 3×3 kernel has.
var taps = []int{0, 3, 6}

// Adapt is models.WeightAdapter's: of ImageNet's fc6 and fc7 it takes every fourth
// channel and nine of fc6's taps, as DeepLab-LargeFOV made its start.
func (c Config) Adapt(src weights.Source) weights.Source { return adapted{src, c} }

// adapted is a file whose fc6 and fc7 may be ImageNet's.
type adapted struct {
	weights.Source
	c Config
}

// full tells what a tensor of the file is: one of ImageNet's layers, or not (nil).
func (a adapted) full(name string) (*thinning, error) {
	own, ok := a.c.Rename(weights.Unwrap(name))
	if !ok {
		return nil, nil
	}
	shape, err := a.Source.Shape(name)
	if err != nil || len(shape) == 0 || shape[0] != fullChannels {
		return nil, err
	}
	size := 1
	for _, d := range shape {
		if d < 1 || size > 1<<30/d {
			return nil, fmt.Errorf("tensor %q has shape %v", name, shape)
		}
		size *= d
	}
	per := size / fullChannels
	switch {
	case own == "fc6.bias" && per == 1, own == "fc7.bias" && per == 1:
		return &thinning{shape: []int{fullChannels / every}, in: 1, each: 1, area: []int{0}, full: 1}, nil
	case own == "fc7.weight" && per == fullChannels:
		return &thinning{shape: []int{fullChannels / every, fullChannels / every, 1, 1}, in: fullChannels, each: every, area: []int{0}, full: 1}, nil
	case own == "fc6.weight" && per%(fullSide*fullSide) == 0:
		in := per / (fullSide * fullSide)
		t := &thinning{shape: []int{fullChannels / every, in, len(taps), len(taps)}, in: in, each: 1, full: fullSide * fullSide}
		for _, y := range taps {
			for _, x := range taps {
				t.area = append(t.area, y*fullSide+x)
			}
		}
		return t, nil
	}
	return nil, nil
}

// thinning says which values of a layer [4096, in, full] stay.
type thinning struct {
	shape []int
	in    int   // input channels in the file
	each  int   // one of so many of them stays
	area  []int // taps that stay
	full  int   // taps in the file
}

func (t *thinning) of(v []float32) []float32 {
	var out []float32
	for o := 0; o < fullChannels; o += every {
		for i := 0; i < t.in; i += t.each {
			for _, at := range t.area {
				out = append(out, v[(o*t.in+i)*t.full+at])
			}
		}
	}
	return out
}

// Shape is weights.Source's.
func (a adapted) Shape(name string) ([]int, error) {
	t, err := a.full(name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return a.Source.Shape(name)
	}
	return slices.Clone(t.shape), nil
}

// Tensor is weights.Source's.
func (a adapted) Tensor(name string) (*tensors.Tensor, error) {
	t, err := a.full(name)
	if err != nil {
		return nil, err
	}
	value, err := a.Source.Tensor(name)
	if err != nil || t == nil {
		return value, err
	}
	if value, err = weights.Float32(value); err != nil {
		return nil, err
	}
	flat, err := tensors.CopyFlatData[float32](value)
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(t.of(flat), t.shape...), nil
}
