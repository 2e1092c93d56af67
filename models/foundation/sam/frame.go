package sam

import (
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
)

// Frame relates an image of W×H pixels to the square that the model sees: the
// image, resized to InW×InH, in its top-left corner (docs/sources.md §3.1).
type Frame struct {
	Side     int // of the square, 1024 for the published models
	W, H     int // of the image
	InW, InH int // of the image inside the square
	// Squash: the image fills the square whatever its proportions, and masks
	// are enlarged in one step: bicubically (EfficientSAM), or where Linear is set
	// bilinearly (SAM 2).
	Squash, Linear bool
}

// NewFrame scales the longer side to the square's; the other is at least one
// pixel.
func NewFrame(w, h, side int) Frame {
	scale := float64(side) / float64(max(w, h))
	in := func(length int) int { return max(1, int(float64(length)*scale+0.5)) }
	return Frame{Side: side, W: w, H: h, InW: in(w), InH: in(h)}
}

// Point maps a pixel position of the image into the square. The half pixel
// that SAM adds is added inside the model (docs/sources.md §3.2).
func (f Frame) Point(x, y float64) (float32, float32) {
	return float32(x * (float64(f.InW) / float64(f.W))), float32(y * (float64(f.InH) / float64(f.H)))
}

// layout is how an encoder wants its pixels.
type layout int

const (
	normalised  layout = iota // [1, 3, side, side], normalised, padded with 0
	rawHWC                    // [h, w, 3], bytes as floats; normalised and padded inside the model
	unitSquared               // [1, 3, side, side] in [0, 1], squashed; normalised inside the model
	_                         // was: as stretched, rounded to bytes; kept embeddings are named by these numbers
	stretched                 // [1, 3, side, side], squashed and normalised as for ImageNet
)

// pixels prepares the image as the encoder's layout asks.
func (f Frame) pixels(img *imageproc.RGB, as layout, rank int) *tensors.Tensor {
	switch as {
	case rawHWC:
		small := img.Resize(f.InW, f.InH, imageproc.Bilinear)
		dst := make([]float32, len(small.Pix))
		for i, v := range small.Pix {
			dst[i] = float32(v)
		}
		return tensors.FromFlatDataAndDimensions(dst, lead(rank, 4, f.InH, f.InW, 3)...)
	case stretched:
		dst := img.PlanarResized(f.Side, f.Side, imageproc.Bilinear, imageproc.ImageNetNorm)
		return tensors.FromFlatDataAndDimensions(dst, lead(rank, 4, 3, f.Side, f.Side)...)
	case unitSquared:
		return tensors.FromFlatDataAndDimensions(f.squashed(img), lead(rank, 4, 3, f.Side, f.Side)...)
	}
	dst := make([]float32, 3*f.Side*f.Side)
	img.Resize(f.InW, f.InH, imageproc.Bilinear).Planar(imageproc.SAMNorm, dst, f.Side, f.Side)
	return tensors.FromFlatDataAndDimensions(dst, lead(rank, 4, 3, f.Side, f.Side)...)
}

// lead puts a batch axis of 1 before dims where the rank asks for one.
func lead(rank, full int, dims ...int) []int {
	if rank == full {
		return append([]int{1}, dims...)
	}
	return dims
}

// squashed is the image as [3, side, side] in [0, 1], resized without
// antialiasing as EfficientSAM does.
func (f Frame) squashed(img *imageproc.RGB) []float32 {
	dst := make([]float32, 0, 3*f.Side*f.Side)
	plane := make([]float32, img.W*img.H)
	for c := range 3 {
		for i := range plane {
			plane[i] = float32(img.Pix[3*i+c]) / 255
		}
		dst = append(dst, resample(plane, img.W, bilinearTaps(img.W, f.Side, f.Side), bilinearTaps(img.H, f.Side, f.Side))...)
	}
	return dst
}

// Upscale enlarges low-resolution logits (low×low, the whole square) to the
// image: bilinear to the square, cut to the image's part, bilinear to W×H
// (docs/sources.md §3.3). The result is row-major, W*H.
func (f Frame) Upscale(logits []float32, low int) []float32 {
	if f.Squash {
		return resample(logits, low, f.squashTaps(low, f.W), f.squashTaps(low, f.H))
	}
	square := resample(logits, low, bilinearTaps(low, f.Side, f.InW), bilinearTaps(low, f.Side, f.InH))
	return resample(square, f.InW, bilinearTaps(f.InW, f.W, f.W), bilinearTaps(f.InH, f.H, f.H))
}

// squashTaps enlarge one axis of the logits of an image that fills the square.
func (f Frame) squashTaps(low, out int) taps {
	if f.Linear {
		return bilinearTaps(low, out, out)
	}
	return bicubicTaps(low, out)
}

// Threshold is the mask of the logits above 0.
func Threshold(logits []float32) []uint8 {
	mask := make([]uint8, len(logits))
	for i, v := range logits {
		if v > 0 {
			mask[i] = 1
		}
	}
	return mask
}
