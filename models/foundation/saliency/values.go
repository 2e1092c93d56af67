package saliency

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/prob"
	"wsss/models/onnximport/onnxfile"
)

// Values says what the numbers of a map are.
type Values int

// What a map may have.
const (
	Told   Values = iota // each map tells: logits, where a number is below 0
	Shares               // how much a pixel stands out
	Logits               // of which the sigmoid is meant, or the softmax of several channels
)

// ValuesOf tells from a file what its output has, by the ops at its end.
func ValuesOf(file *onnxfile.File, output string) Values {
	g := file.Proto.Graph
	if output == "" || output == First {
		output = g.Output[0].Name
	}
	end := onnxfile.End(onnxfile.Makers(g), output, "Concat", "QuantizeLinear", "DequantizeLinear")
	switch op := end.GetOpType(); {
	case strings.Contains(op, "igmoid") || op == "Softmax":
		return Shares
	case slices.Contains([]string{"Conv", "ConvTranspose", "MatMul", "Gemm", "Add", "BatchNormalization"}, op):
		return Logits
	}
	return Told
}

// mapOf makes the map of 0..1 of an output: [height, width], or one such map per
// channel, before or behind them, with any number of axes of length one.
func (m *Model) mapOf(t *tensors.Tensor) (*Map, error) {
	n, err := numbersOf(t)
	if err != nil {
		return nil, err
	}
	shape := t.Shape().Dimensions
	dims := slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })
	p := planes{v: n.v, channels: 1}
	switch {
	case len(dims) == 2:
	case len(dims) == 3 && dims[0] < min(dims[1], dims[2]):
		p.channels, dims = dims[0], dims[1:]
	case len(dims) == 3 && dims[2] < min(dims[0], dims[1]):
		p.channels, p.last, dims = dims[2], true, dims[:2]
	default:
		return nil, fmt.Errorf("shape %v: wanted is one map [height, width] of a photo, or one per channel", shape)
	}
	if p.channel, err = m.channel(p.channels); err != nil {
		return nil, err
	}
	if m.opts.Scale > 0 {
		n.whole = float32(m.opts.Scale)
	}
	kind, err := m.kind(n)
	if err != nil {
		return nil, err
	}
	out := &Map{W: dims[1], H: dims[0], Values: make([]float32, dims[0]*dims[1])}
	for i := range out.Values {
		switch {
		case kind == Shares:
			out.Values[i] = min(max(p.at(p.channel, i)/n.whole, 0), 1)
		case p.channels == 1:
			out.Values[i] = prob.Sigmoid(p.v[i])
		default:
			out.Values[i] = p.softmax(i)
		}
	}
	if m.opts.Stretch {
		stretch(out.Values)
	}
	return out, nil
}

// channel is the one of the map, counted from 0.
func (m *Model) channel(channels int) (int, error) {
	c := m.opts.Channel
	switch {
	case c > channels:
		return 0, fmt.Errorf("channel = %d: it has %d", c, channels)
	case c > 0:
		return c - 1, nil
	case channels > 2:
		return 0, fmt.Errorf("channel is missing: it has %d; allowed are 1 to %d", channels, channels)
	}
	return channels - 1, nil
}

// kind is what the numbers of a map are.
func (m *Model) kind(n numbers) (Values, error) {
	lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range n.v {
		if v != v {
			return 0, errors.New("the map has values that are no numbers")
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	const rounding = 1e-3
	switch {
	case m.opts.Values != Told:
		return m.opts.Values, nil
	case n.counted, m.opts.Scale > 0:
		return Shares, nil
	case lo < -rounding:
		return Logits, nil
	case hi > 1+rounding:
		return 0, fmt.Errorf("the map has values from %.4g to %.4g: set logits = true where these are logits, else scale to what a pixel that stands out has", lo, hi)
	}
	return Shares, nil
}

// numbers are the elements of an output.
type numbers struct {
	v       []float32
	whole   float32 // what a pixel that stands out has
	counted bool    // whole numbers, which are no logits
}

func numbersOf(t *tensors.Tensor) (n numbers, err error) {
	switch t.DType() {
	case dtypes.Float32:
		n.whole = 1
		n.v, err = tensors.CopyFlatData[float32](t)
	case dtypes.Float64:
		n.whole = 1
		n.v, err = floats[float64](t)
	case dtypes.Uint8:
		n.whole, n.counted = 255, true
		n.v, err = floats[uint8](t)
	case dtypes.Int32:
		n.whole, n.counted = 1, true
		n.v, err = floats[int32](t)
	case dtypes.Int64:
		n.whole, n.counted = 1, true
		n.v, err = floats[int64](t)
	default:
		err = fmt.Errorf("elements of type %s: allowed are float32, float64, uint8, int32, int64", t.DType())
	}
	return n, err
}

func floats[T float64 | uint8 | int32 | int64](t *tensors.Tensor) ([]float32, error) {
	all, err := tensors.CopyFlatData[T](t)
	out := make([]float32, len(all))
	for i, x := range all {
		out[i] = float32(x)
	}
	return out, err
}

// planes are maps of several channels, and the one that is meant.
type planes struct {
	v        []float32
	channels int
	channel  int
	last     bool // channels are the last axis
}

func (p planes) at(channel, pixel int) float32 {
	if p.last {
		return p.v[pixel*p.channels+channel]
	}
	return p.v[channel*(len(p.v)/p.channels)+pixel]
}

// softmax is the share of the channel at a pixel.
func (p planes) softmax(pixel int) float32 {
	own, sum := p.at(p.channel, pixel), 0.0
	for c := range p.channels {
		sum += math.Exp(float64(p.at(c, pixel) - own))
	}
	return float32(1 / sum)
}

// stretch maps values to 0..1; a constant map has nothing to stretch.
func stretch(v []float32) {
	lo, hi := slices.Min(v), slices.Max(v)
	if hi <= lo {
		return
	}
	for i, x := range v {
		v[i] = (x - lo) / (hi - lo)
	}
}
