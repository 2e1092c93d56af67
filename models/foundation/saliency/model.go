// Package saliency runs networks of salient-object detection, which tell what
// stands out in a photo from what is around it, of any class: U²-Net, ISNet
// (DIS), BiRefNet and whatever else takes one image and gives one map.
package saliency

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/prob"
	"wsss/data/stages"
	"wsss/models/foundation"
	"wsss/models/foundation/imageproc"
	"wsss/models/onnximport/onnxfile"
)

// First as Options.Output is the first output of the file.
const First = "first"

// Options say how a network takes an image and gives its map.
type Options struct {
	Side    int            // of the square that the image is resized to; 0 = the size that the file fixes
	Norm    imageproc.Norm // of the pixels
	Output  string         // the output with the map, or First; "" is right for a file with one
	Logits  bool           // the map has logits, of which the sigmoid is meant
	Stretch bool           // stretch each map to 0..1, as U²-Net's own script does
}

// Norms are the normalisations by their names.
var Norms = map[string]imageproc.Norm{
	"imagenet": imageproc.ImageNetNorm,                                                  // U²-Net, BiRefNet
	"half":     {Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{1, 1, 1}, Unit: true}, // ISNet
	"unit":     {Std: [3]float32{1, 1, 1}, Unit: true},
}

// Model is a salient-object network. It is safe for concurrent use.
type Model struct {
	session       foundation.Session
	opts          Options
	input, output string
	w, h          int  // that images are resized to
	last          bool // channels are the last axis of the input
}

// New takes a network with one input of images and chooses its output.
func New(s foundation.Session, o Options) (*Model, error) {
	m := &Model{session: s, opts: o, w: o.Side, h: o.Side}
	in := s.Inputs()
	if len(in) != 1 || len(in[0].Dims) != 4 || in[0].DType != dtypes.Float32 {
		return nil, fmt.Errorf("no salient-object network: its inputs are %v, wanted is one of images, float32 [batch, 3, height, width]", in)
	}
	m.input = in[0].Name
	d := in[0].Dims
	h, w := d[2], d[3]
	if d[3] == 3 && d[1] != 3 {
		m.last, h, w = true, d[1], d[2]
	} else if d[1] != 3 && d[1] != -1 {
		return nil, fmt.Errorf("no salient-object network: its input has shape %v, wanted are three channels", d)
	}
	switch {
	case w > 0 && h > 0 && o.Side > 0 && (w != o.Side || h != o.Side):
		return nil, fmt.Errorf("side = %d: the file fixes %d×%d pixels", o.Side, w, h)
	case w > 0 && h > 0:
		m.w, m.h = w, h
	case o.Side == 0:
		return nil, errors.New("side is missing: the file leaves open what images are resized to")
	}
	return m, m.chooseOutput()
}

func (m *Model) chooseOutput() error {
	outs := m.session.Outputs()
	switch {
	case m.opts.Output == First || m.opts.Output == "" && len(outs) == 1:
		m.output = outs[0].Name
	case m.opts.Output == "":
		return fmt.Errorf("output is missing: the file has %d, %s; allowed are these and %q", len(outs), foundation.Names(outs), First)
	case !foundation.Has(outs, m.opts.Output):
		return fmt.Errorf("output = %q: the file has %s; allowed are these and %q", m.opts.Output, foundation.Names(outs), First)
	default:
		m.output = m.opts.Output
	}
	return nil
}

// Map tells how much each place of an image belongs to what stands out.
type Map struct {
	W, H   int
	Values []float32 // 0..1, row-major
}

// Map runs the network; the map has the size that the network gives.
func (m *Model) Map(ctx context.Context, img *imageproc.RGB) (*Map, error) {
	defer stages.Start(ctx, stages.Embed)()
	in := map[string]*tensors.Tensor{m.input: m.pixels(img)}
	defer foundation.Free(in)
	out, err := m.session.Run(ctx, in, m.output)
	if err != nil {
		return nil, err
	}
	t := out[m.output]
	if t == nil {
		return nil, fmt.Errorf("the network gave no output %q", m.output)
	}
	values, d, err := foundation.Floats(out, m.output, t.Shape().Rank())
	if err != nil {
		return nil, err
	}
	w, h, err := side(d)
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", m.output, err)
	}
	if err := m.finish(values); err != nil {
		return nil, fmt.Errorf("output %q: %w", m.output, err)
	}
	return &Map{w, h, values}, nil
}

// pixels prepares an image: resized to the square, normalised.
func (m *Model) pixels(img *imageproc.RGB) *tensors.Tensor {
	small := img.Resize(m.w, m.h, imageproc.Bilinear)
	v := make([]float32, 3*m.w*m.h)
	if m.last {
		small.Interleaved(m.opts.Norm, v, m.w, image.Point{})
		return tensors.FromFlatDataAndDimensions(v, 1, m.h, m.w, 3)
	}
	small.Planar(m.opts.Norm, v, m.w, m.h)
	return tensors.FromFlatDataAndDimensions(v, 1, 3, m.h, m.w)
}

// side is the size of a map [h, w] with any number of axes of length one.
func side(dims []int) (w, h int, err error) {
	long := slices.DeleteFunc(slices.Clone(dims), func(d int) bool { return d == 1 })
	if len(long) != 2 {
		return 0, 0, fmt.Errorf("shape %v: wanted is one map [height, width] of an image", dims)
	}
	return long[1], long[0], nil
}

// finish makes values of 0..1 of what the network gave.
func (m *Model) finish(values []float32) error {
	lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
	for i, v := range values {
		if v != v {
			return errors.New("the map has values that are no numbers")
		}
		if m.opts.Logits {
			v = prob.Sigmoid(v)
		}
		values[i] = min(max(v, 0), 1)
		lo, hi = min(lo, values[i]), max(hi, values[i])
	}
	if m.opts.Stretch && hi > lo { // a constant map has nothing to stretch
		for i, v := range values {
			values[i] = (v - lo) / (hi - lo)
		}
	}
	return nil
}

// GivesLogits tells from a file whether the output is without a sigmoid or
// softmax at its end.
func GivesLogits(file *onnxfile.File, output string) bool {
	g := file.Proto.Graph
	if output == "" || output == First {
		output = g.Output[0].Name
	}
	makers := map[string]*protos.NodeProto{}
	for _, n := range g.Node {
		for _, out := range n.Output {
			makers[out] = n
		}
	}
	for range 16 {
		n := makers[output]
		switch {
		case n == nil || len(n.Input) == 0:
			return true
		case strings.Contains(n.OpType, "igmoid") || n.OpType == "Softmax" || n.OpType == "Clip":
			return false
		case !slices.Contains([]string{"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Resize", "Slice", "Transpose"}, n.OpType):
			return true
		}
		output = n.Input[0]
	}
	return true
}
