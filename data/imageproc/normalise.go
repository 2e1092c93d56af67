package imageproc

import (
	"image"
	"maps"
	"math"

	"wsss/data/colour"
)

// Norm is a mean and standard deviation per channel, R, G, B or B, G, R.
type Norm struct {
	Mean, Std [3]float32
	Unit      bool // bytes are scaled to [0, 1] before; else they stay 0..255
	BGR       bool // channels are written in this order
}

// The normalisations of the foundation models.
var (
	// SAMNorm works in 0..255 (docs/sources.md §3.1).
	SAMNorm = Norm{[3]float32{123.675, 116.28, 103.53}, [3]float32{58.395, 57.12, 57.375}, false, false}
	// ImageNetNorm is Grounding-DINO's and RAM's (docs/sources.md §4, §5.1).
	ImageNetNorm = Norm{single(colour.ImageNetMean), single(colour.ImageNetStd), true, false}
	// CaffeNorm is of networks converted from Caffe: B, G, R, less the mean.
	CaffeNorm = Norm{Mean: reversed(colour.CaffeMean), Std: [3]float32{1, 1, 1}, BGR: true}
	// SignedNorm turns bytes into −1..1: SigLIP's, SAM 3's, MODNet's, and that of
	// TensorFlow's EfficientNet-Lite.
	SignedNorm = Norm{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}, Unit: true}
	// CLIPNorm is CLIP's and BLIP-2's (docs/sources.md §7, §5.2).
	CLIPNorm = Norm{single(colour.CLIPMean), single(colour.CLIPStd), true, false}
)

// Named are the normalisations by the names that configs of networks of any kind
// give them.
var Named = map[string]Norm{
	"imagenet": ImageNetNorm,                           // most CNNs, DINOv2, U²-Net, BiRefNet
	"clip":     CLIPNorm,                               // CLIP
	"signed":   SignedNorm,                             // SigLIP, EfficientNet-Lite, MODNet
	"unit":     {Std: [3]float32{1, 1, 1}, Unit: true}, // C-RADIO, which normalises by itself
	"bytes":    {Std: [3]float32{1, 1, 1}},             // networks that normalise by themselves
	"caffe":    CaffeNorm,                              // networks converted from Caffe
}

// NamedAnd are Named and more.
func NamedAnd(more map[string]Norm) map[string]Norm {
	all := maps.Clone(Named)
	maps.Copy(all, more)
	return all
}

// NormOf is how a backbone's photos are normalised, by the name in configs: "caffe",
// or "torch", which "" stands for.
func NormOf(input string) Norm {
	if input == "caffe" {
		return CaffeNorm
	}
	return ImageNetNorm
}

func reversed(v [3]float64) [3]float32 {
	return [3]float32{float32(v[2]), float32(v[1]), float32(v[0])}
}

func single(v [3]float64) [3]float32 { return [3]float32{float32(v[0]), float32(v[1]), float32(v[2])} }

// Planar writes the normalised image into dst as [3, h, w] float32, h >= m.H
// and w >= m.W; the margin at the right and bottom is left as it is (0 in
// fresh memory: padding comes after normalisation, docs/sources.md §3.1).
func (m *RGB) Planar(n Norm, dst []float32, w, h int) {
	for c := range 3 {
		lut := n.table(c)
		plane := dst[c*w*h : (c+1)*w*h]
		for y := range m.H {
			row := m.Pix[3*y*m.W+n.from(c):]
			out := plane[y*w : y*w+m.W]
			for x := range out {
				out[x] = lut[row[3*x]]
			}
		}
	}
}

// Interleaved writes the normalised image into a canvas [.., w, 3] of float32,
// its corner at the pixel at; the rest of the canvas is left as it is.
func (m *RGB) Interleaved(n Norm, dst []float32, w int, at image.Point) {
	for c := range 3 {
		lut := n.table(c)
		for y := range m.H {
			row := m.Pix[3*y*m.W+n.from(c):]
			out := dst[3*((at.Y+y)*w+at.X)+c:]
			for x := range m.W {
				out[3*x] = lut[row[3*x]]
			}
		}
	}
}

// from is the channel of an image that is written as channel c.
func (n Norm) from(c int) int {
	if n.BGR {
		return 2 - c
	}
	return c
}

// table is the normalised value of every byte of a channel.
func (n Norm) table(c int) *[256]float32 {
	var lut [256]float32
	for v := range lut {
		f := float32(v)
		if n.Unit {
			f /= 255
		}
		lut[v] = (f - n.Mean[c]) / n.Std[c]
	}
	return &lut
}

// Crop copies the part of the image inside r; what lies outside the image is
// black.
func (m *RGB) Crop(r image.Rectangle) *RGB {
	out := NewRGB(r.Dx(), r.Dy())
	in := r.Intersect(image.Rect(0, 0, m.W, m.H))
	for y := in.Min.Y; y < in.Max.Y; y++ {
		copy(out.Pix[3*((y-r.Min.Y)*out.W+in.Min.X-r.Min.X):], m.Pix[3*(y*m.W+in.Min.X):3*(y*m.W+in.Max.X)])
	}
	return out
}

// CentreCrop cuts size×size from the middle, an odd margin rounded half to
// even as torchvision does. The image must be at least that large.
func (m *RGB) CentreCrop(size int) *RGB {
	left := int(math.RoundToEven(float64(m.W-size) / 2))
	top := int(math.RoundToEven(float64(m.H-size) / 2))
	return m.Crop(image.Rect(left, top, left+size, top+size))
}

// ResizeShort resamples so that the shorter side has size pixels; the longer
// one is truncated, as torchvision does.
func (m *RGB) ResizeShort(size int, f Filter) *RGB {
	if m.W <= m.H {
		return m.Resize(size, size*m.H/m.W, f)
	}
	return m.Resize(size*m.W/m.H, size, f)
}
