// Package onnxseg lets any ONNX segmentation network of a user's label images
// beside wsss's own: layout, normalisation and class numbers come from the
// config.
package onnxseg

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/data"
	"wsss/data/colour"
	"wsss/data/imageproc"
	"wsss/models/onnximport"
)

// Predictor runs one network. It implements models.Predictor; calls take turns.
type Predictor struct {
	cfg     configs.ONNX
	model   *onnximport.Model
	runner  *onnximport.Runner
	input   onnximport.Port
	output  string  // whose labels or logits are taken
	batch   int     // photos that the network takes at once; the first is the photo, and so are the others
	above   float32 // from which value on one channel is class 1
	classes int
	norm    imageproc.Norm
}

// Open opens the network of cfg for a dataset of so many classes, background
// included. The error names the file and what it takes.
func Open(b compute.Backend, cfg configs.ONNX, classes int) (*Predictor, error) {
	p := &Predictor{cfg: withDefaults(cfg), classes: classes, batch: 1}
	opt := onnximport.Options{}
	if cfg.Output != "" {
		opt.Outputs = []string{cfg.Output}
	}
	if cfg.Masks != "" {
		opt.Outputs = append(opt.Outputs, cfg.Masks)
	}
	var err error
	if p.model, err = onnximport.Open(cfg.Path, opt); err != nil {
		return nil, err
	}
	err = p.checkOutput()
	if err == nil {
		err = p.chooseInput()
	}
	if err == nil {
		err = p.chooseSize()
	}
	if err == nil {
		p.runner, err = onnximport.NewRunner(b, p.model, onnximport.RunnerOptions{MaxShapes: 8})
	}
	if err != nil {
		p.model.Close()
		return nil, err
	}
	for c := range 3 {
		// The config's formula is (byte/divide − mean)/std; Norm takes bytes.
		p.norm.Mean[c] = float32(p.cfg.Mean[c] * p.cfg.Divide)
		p.norm.Std[c] = float32(p.cfg.Std[c] * p.cfg.Divide)
	}
	return p, nil
}

func withDefaults(c configs.ONNX) configs.ONNX {
	text := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	text(&c.Layout, "nchw")
	text(&c.Colours, "rgb")
	text(&c.OutputLayout, "nchw")
	if c.Divide == 0 {
		c.Divide = 255
	}
	if len(c.Mean) == 0 {
		c.Mean = colour.ImageNetMean[:]
	}
	if len(c.Std) == 0 {
		c.Std = colour.ImageNetStd[:]
	}
	if c.Multiple == 0 {
		c.Multiple = 32
	}
	return c
}

// Hash identifies the weights: the SHA-256 of the file.
func (p *Predictor) Hash() (string, error) { return p.model.Hash() }

// Close frees the network.
func (p *Predictor) Close() error {
	p.runner.Close()
	return p.model.Close()
}

func (p *Predictor) checkOutput() error {
	var names []string
	has := map[string]bool{"": true}
	for _, port := range p.model.Outputs() {
		names, has[port.Name] = append(names, port.String()), true
	}
	for _, key := range [][2]string{{"output", p.cfg.Output}, {"masks", p.cfg.Masks}} {
		if !has[key[1]] {
			return fmt.Errorf("%s: eval.onnx.%s = %q: allowed are %s", p.cfg.Path, key[0], key[1], strings.Join(names, ", "))
		}
	}
	p.output = cmp.Or(p.cfg.Output, p.firstMap())
	if p.model.Ends(p.output) == "Sigmoid" {
		p.above = 0.5
	}
	return nil
}

// firstMap is the first output that is not of an auxiliary head, by its name.
func (p *Predictor) firstMap() string {
	for _, o := range p.model.Outputs() {
		if !strings.HasPrefix(strings.ToLower(o.Name), "aux") {
			return o.Name
		}
	}
	return p.model.OutputNames()[0]
}

func (p *Predictor) chooseInput() error {
	in := p.model.Inputs()
	var names []string
	found := false
	for _, port := range in {
		names = append(names, port.String())
		if port.Name == p.cfg.Input || p.cfg.Input == "" && len(in) == 1 {
			p.input, found = port, true
		}
	}
	if !found {
		return fmt.Errorf("%s: eval.onnx.input = %q: allowed are %s", p.cfg.Path, p.cfg.Input, strings.Join(names, ", "))
	}
	if t := p.input.DType; t != dtypes.Float32 && t != dtypes.Float64 && t != dtypes.Uint8 {
		return fmt.Errorf("%s: input %s: images are given as Float32, Float64 or Uint8", p.cfg.Path, p.input)
	}
	if p.input.Dims != nil && len(p.input.Dims) != 4 {
		return fmt.Errorf("%s: input %s: want 4 axes, %s", p.cfg.Path, p.input, p.cfg.Layout)
	}
	return nil
}

// maxPixels bounds the image that a network takes: 8192×8192.
const maxPixels = 1 << 26

// chooseSize takes the size from the file where the config leaves it open.
func (p *Predictor) chooseSize() error {
	if w, h := p.cfg.Width, p.cfg.Height; w > 0 && h > maxPixels/w {
		return fmt.Errorf("%s: eval.onnx asks for %d×%d pixels: allowed are %d in all", p.cfg.Path, w, h, maxPixels)
	}
	if p.input.Dims == nil {
		return nil
	}
	d := p.input.Dims
	p.batch = max(d[0], 1)
	c, h, w, side := d[1], d[2], d[3], d[3]
	other := "nhwc"
	if p.cfg.Layout == "nhwc" {
		h, w, c, side = d[1], d[2], d[3], d[1]
		other = "nchw"
	}
	if c <= 0 && side == 3 { // a picture 3 pixels wide is less likely
		return fmt.Errorf("%s: input %s has its 3 colours where the layout %s has a side: set eval.onnx.layout = %q", p.cfg.Path, p.input, p.cfg.Layout, other)
	}
	if c > 0 && c != 3 {
		return fmt.Errorf("%s: input %s has %d channels in layout %s: want 3", p.cfg.Path, p.input, c, p.cfg.Layout)
	}
	if w > 0 && h > 0 && (w > maxPixels/h || p.batch > maxPixels/(w*h)) {
		return fmt.Errorf("%s: input %s is of %d×%d pixels: allowed are %d in all", p.cfg.Path, p.input, w, h, maxPixels)
	}
	if w > 0 && h > 0 {
		if p.cfg.Width > 0 && (p.cfg.Width != w || p.cfg.Height != h) {
			return fmt.Errorf("%s: eval.onnx asks for %d×%d: the file takes only %d×%d", p.cfg.Path, p.cfg.Width, p.cfg.Height, w, h)
		}
		p.cfg.Width, p.cfg.Height = w, h
	}
	return nil
}

// Predict labels an image at its own size: stretched to the network's size, or
// padded at the right and bottom where that is free. Logits are resampled
// bilinearly (pixel centres at half positions) before the arg-max, labels by
// the nearest pixel.
func (p *Predictor) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rgb := imageproc.FromImage(img)
	w, h := p.cfg.Width, p.cfg.Height
	span := image.Pt(rgb.W, rgb.H) // size of what the output covers, in photo pixels
	if w > 0 {
		rgb = rgb.Resize(w, h, imageproc.Bilinear)
	} else {
		w, h = roundUp(rgb.W, p.cfg.Multiple), roundUp(rgb.H, p.cfg.Multiple)
		span = image.Pt(w, h)
	}
	in := p.tensor(rgb, w, h)
	outs, err := p.runner.Run(map[string]*tensors.Tensor{p.input.Name: in})
	in.FinalizeAll()
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, t := range outs {
			t.FinalizeAll()
		}
	}()
	if p.cfg.OutputLayout == configs.Queries {
		m, err := p.fromQueries(outs, img.Rect.Size(), image.Pt(w, h), span)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.cfg.Path, err)
		}
		return m, nil
	}
	out := outs[p.output]
	m, err := p.labels(out, img.Rect.Size(), span)
	if err != nil {
		return nil, fmt.Errorf("%s: output %s of shape %v: %w", p.cfg.Path, p.output, out.Shape().Dimensions, err)
	}
	return m, nil
}

// Shape is what an image of that size is computed as: images of one shape
// share a compiled network.
func (p *Predictor) Shape(size image.Point) image.Point {
	if p.cfg.Width > 0 {
		return image.Pt(p.cfg.Width, p.cfg.Height)
	}
	return image.Pt(roundUp(size.X, p.cfg.Multiple), roundUp(size.Y, p.cfg.Multiple))
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// tensor packs the image as the network wants it; padding is the mean colour,
// 0 after normalisation.
func (p *Predictor) tensor(m *imageproc.RGB, w, h int) *tensors.Tensor {
	dims := []int{p.batch, 3, h, w}
	if p.cfg.Layout == "nhwc" {
		dims = []int{p.batch, h, w, 3}
	}
	if p.input.DType == dtypes.Uint8 {
		raw := make([]uint8, 3*w*h)
		arrange(raw, p.bytes(m, w, h), p.cfg, w*h)
		return tensors.FromFlatDataAndDimensions(slices.Repeat(raw, p.batch), dims...)
	}
	planar := make([]float32, 3*w*h)
	m.Planar(p.norm, planar, w, h)
	values := make([]float32, 3*w*h)
	arrange(values, planar, p.cfg, w*h)
	if p.input.DType == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(slices.Repeat(convert[float64](values), p.batch), dims...)
	}
	return tensors.FromFlatDataAndDimensions(slices.Repeat(values, p.batch), dims...)
}

// bytes is the image as planes, padded with the mean colour.
func (p *Predictor) bytes(m *imageproc.RGB, w, h int) []uint8 {
	out := make([]uint8, 3*w*h)
	for c := range 3 {
		plane := out[c*w*h : (c+1)*w*h]
		for i := range plane {
			plane[i] = uint8(min(max(p.norm.Mean[c]+0.5, 0), 255))
		}
		for y := range m.H {
			for x := range m.W {
				plane[y*w+x] = m.Pix[3*(y*m.W+x)+c]
			}
		}
	}
	return out
}

// arrange copies planes of red, green and blue into the configured order.
func arrange[T any](dst, planes []T, cfg configs.ONNX, n int) {
	for c := range 3 {
		at := c
		if cfg.Colours == "bgr" {
			at = 2 - c
		}
		plane := planes[c*n : (c+1)*n]
		if cfg.Layout == "nchw" {
			copy(dst[at*n:], plane)
			continue
		}
		for i, v := range plane {
			dst[3*i+at] = v
		}
	}
}
