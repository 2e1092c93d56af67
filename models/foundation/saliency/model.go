// Package saliency runs networks of salient-object detection, which tell what
// stands out in a photo from what is around it, of any class: U²-Net, ISNet
// (DIS), BiRefNet and whatever else takes one image and gives one map.
package saliency

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/models/foundation"
)

// First as Options.Output is the first output of the file.
const First = "first"

// Layouts of an input.
const (
	NCHW = "nchw"
	NHWC = "nhwc"
)

// Options say how a network takes an image and gives its map.
type Options struct {
	Side    int            // of the square that the image is resized to; 0 = the size that the file fixes
	Norm    imageproc.Norm // of the pixels
	Layout  string         // of the input, NCHW or NHWC; "" = by its shape, NCHW where that does not tell
	Output  string         // the output with the map, or First; "" is right for a file with one
	Channel int            // of an output with several, counted from 1; 0 = the second of two
	Values  Values         // what the numbers of the map are
	Scale   float64        // what a pixel that stands out has in a map of shares; 0 = 1, or 255 in bytes
	Stretch bool           // stretch each map to 0..1, as U²-Net's own script does
}

// Norms are the normalisations by their names.
var Norms = imageproc.NamedAnd(map[string]imageproc.Norm{
	"half": {Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{1, 1, 1}, Unit: true}, // ISNet
	"one":  imageproc.SignedNorm,                                                    // another name of signed
})

// Model is a salient-object network. It is safe for concurrent use.
type Model struct {
	session       foundation.Session
	opts          Options
	input, output string
	w, h          int  // that images are resized to
	last          bool // channels are the last axis of the input
	bytes         bool // the input takes bytes
}

// New takes a network with one input of images and chooses its output.
func New(s foundation.Session, o Options) (*Model, error) {
	m := &Model{session: s, opts: o, w: o.Side, h: o.Side}
	in := s.Inputs()
	if len(in) != 1 || len(in[0].Dims) != 4 || in[0].DType != dtypes.Float32 && in[0].DType != dtypes.Uint8 {
		return nil, fmt.Errorf("no salient-object network: its inputs are %v, wanted is one of images, float32 or uint8, [1, 3, height, width] or [1, height, width, 3]", in)
	}
	m.input, m.bytes = in[0].Name, in[0].DType == dtypes.Uint8
	d := in[0].Dims
	var err error
	if m.last, err = channelsLast(d, o.Layout); err != nil {
		return nil, err
	}
	h, w := d[2], d[3]
	if m.last {
		h, w = d[1], d[2]
	}
	switch {
	case d[0] > 1:
		return nil, fmt.Errorf("its input has shape %v: wanted is a network that takes one photo at a time", d)
	case w > 0 && h > 0 && o.Side > 0 && (w != o.Side || h != o.Side):
		return nil, fmt.Errorf("side = %d: the file fixes %d×%d pixels", o.Side, w, h)
	case w > 0 && h > 0:
		m.w, m.h = w, h
	case o.Side == 0:
		return nil, errors.New("side is missing: the file leaves open what images are resized to")
	}
	return m, m.chooseOutput()
}

// channelsLast tells where the channels of an input of these four dimensions are,
// of which -1 is open. A layout that its shape rules out is an error.
func channelsLast(d []int, layout string) (bool, error) {
	first, last := d[1] == 3, d[3] == 3
	if first == last { // the shape alone does not tell
		first, last = first || d[1] == -1, last || d[3] == -1
	}
	switch {
	case !first && !last:
		return false, fmt.Errorf("no salient-object network: its input has shape %v, wanted are three channels", d)
	case layout == NHWC && !last:
		return false, fmt.Errorf("layout = %q: its input has shape %v, whose channels come first; allowed is %s", layout, d, NCHW)
	case layout == NCHW && !first:
		return false, fmt.Errorf("layout = %q: its input has shape %v, whose channels come last; allowed is %s", layout, d, NHWC)
	}
	return last && (!first || layout == NHWC), nil
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
	defer foundation.Free(out)
	made, err := m.mapOf(t)
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", m.output, err)
	}
	return made, nil
}

// pixels prepares an image: resized to the square, normalised.
func (m *Model) pixels(img *imageproc.RGB) *tensors.Tensor {
	small := img.Resize(m.w, m.h, imageproc.Bilinear)
	v := make([]float32, 3*m.w*m.h)
	dims := []int{1, 3, m.h, m.w}
	if m.last {
		dims = []int{1, m.h, m.w, 3}
		small.Interleaved(m.opts.Norm, v, m.w, image.Point{})
	} else {
		small.Planar(m.opts.Norm, v, m.w, m.h)
	}
	if !m.bytes {
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	grey := make([]uint8, len(v))
	for i, x := range v {
		grey[i] = uint8(x)
	}
	return tensors.FromFlatDataAndDimensions(grey, dims...)
}
