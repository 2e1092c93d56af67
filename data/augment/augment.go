// Package augment is the host-side training augmentation: random scale, pad,
// random crop and flip of an image and its label map, fused with the
// conversion to the network's input, so that only the pixels of the crop are
// ever computed (docs/sources.md §8.1, §8.2).
package augment

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"

	"golang.org/x/image/draw"

	"wsss/configs"
	"wsss/data"
)

// Options is the augmentation of one training.
type Options struct {
	Crop       int       // side of the square crop, pixels
	Scales     []float64 // scale drawn from these …
	ScaleRange []float64 // … or uniform in [min, max] where it holds two values
	Flip       bool      // horizontal flip with probability 0.5
	// Centre scales the short side to Crop and cuts the middle out, instead of
	// a random scale and place (box2024, docs/sources.md §7).
	Centre bool
	// ByCrop has the scale times Crop as the short side of the scaled image,
	// instead of the scale times its own (docs/sources.md §8.2, JFZ).
	ByCrop bool
	// ByLong is ByCrop of the long side: large-scale jitter.
	ByLong bool
	// Antialias scales images as PIL does (docs/sources.md §8.2, VAINF).
	Antialias bool
	// Around puts an image smaller than the crop in the middle of black pixels
	// that are labelled background (likewise).
	Around bool
	Blur   float64 // probability of a Gaussian blur whose deviation is uniform in [0, 1) pixels of the crop
	Jitter Jitter  // of colours; the zero value is none
	Input  Input
}

// FromConfig takes the augmentation keys of a [train] table.
func FromConfig(t configs.Train) (Options, error) {
	in, err := InputByName(t.Input)
	var jitter Jitter
	if j := t.Jitter; len(j) == 4 {
		jitter = Jitter{j[0], j[1], j[2], j[3]}
	}
	return Options{Crop: t.Crop, Scales: t.Scales, ScaleRange: t.ScaleRange, Flip: t.Flip, Centre: t.CropAt == "center",
		ByCrop: t.ScaleBy == "crop", ByLong: t.ScaleBy == "crop-long", Jitter: jitter, Antialias: t.Resize == "antialias", Around: t.Pad == "around", Blur: t.Blur, Input: in}, err
}

// RNG returns the random generator of one sample of one epoch. It depends on
// nothing else, so neither the number of workers nor a resume changes a draw.
func RNG(seed, epoch, index int64) *rand.Rand {
	var key [24]byte
	for i, v := range []int64{seed, epoch, index} {
		binary.LittleEndian.PutUint64(key[8*i:], uint64(v))
	}
	sum := sha256.Sum256(key[:])
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}

// Draw is what chance decided for one sample.
type Draw struct {
	W, H int         // size of the scaled image
	At   image.Point // top-left corner of the crop in the scaled image; negative where padding lies before it
	Flip bool        // applied to the crop
	Blur float64     // deviation of the Gaussian, pixels; 0 = none

	recolour *recolour // nil = none
}

// Draw decides for an image of w×h pixels. The scaled sides are truncated to
// whole pixels, as the reference does.
func (o Options) Draw(rng *rand.Rand, w, h int) Draw {
	if o.Centre {
		return o.centre(rng, w, h)
	}
	scale := 1.0
	switch {
	case len(o.ScaleRange) == 2:
		scale = o.ScaleRange[0] + rng.Float64()*(o.ScaleRange[1]-o.ScaleRange[0])
	case len(o.Scales) > 0:
		scale = o.Scales[rng.IntN(len(o.Scales))]
	}
	switch {
	case o.ByLong:
		scale *= float64(o.Crop) / float64(max(w, h))
	case o.ByCrop:
		scale *= float64(o.Crop) / float64(min(w, h))
	}
	d := Draw{W: max(1, int(float64(w)*scale)), H: max(1, int(float64(h)*scale))}
	border := o.border(d.W, d.H)
	d.At.Y = rng.IntN(max(d.H+2*border-o.Crop, 0)+1) - border
	d.At.X = rng.IntN(max(d.W+2*border-o.Crop, 0)+1) - border
	d.Flip = o.Flip && rng.IntN(2) == 1
	d.Blur = o.blur(rng)
	d.recolour = o.Jitter.draw(rng)
	return d
}

// border is how wide the padding around a scaled image is. As in the reference,
// each side that is too short pads all four.
func (o Options) border(w, h int) (border int) {
	if !o.Around {
		return 0
	}
	if w < o.Crop {
		border = (1 + o.Crop - w) / 2
	}
	if h += 2 * border; h < o.Crop {
		border += (1 + o.Crop - h) / 2
	}
	return border
}

// centre decides for the middle of the image, with torchvision's rounding.
func (o Options) centre(rng *rand.Rand, w, h int) Draw {
	d := Draw{W: o.Crop, H: o.Crop}
	if w < h {
		d.H = max(o.Crop, int(float64(o.Crop)*float64(h)/float64(w)))
	} else {
		d.W = max(o.Crop, int(float64(o.Crop)*float64(w)/float64(h)))
	}
	d.At = image.Pt(int(math.RoundToEven(float64(d.W-o.Crop)/2)), int(math.RoundToEven(float64(d.H-o.Crop)/2)))
	d.Flip = o.Flip && rng.IntN(2) == 1
	d.Blur = o.blur(rng)
	d.recolour = o.Jitter.draw(rng)
	return d
}

// Apply writes the crop: pixels as [crop, crop, 3] of the network's input and
// labels as [crop, crop]. The image is resized bilinearly without
// antialiasing (OpenCV's INTER_LINEAR, half-pixel centres), or as by PIL, the
// labels by PIL's nearest rule. What lies outside the scaled image is padding:
// the mean colour (0 after normalisation) and data.Ignore, or black and background.
func (o Options) Apply(pixels []float32, labels []uint8, img *image.NRGBA, truth *data.LabelMap, d Draw) error {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if truth.W != w || truth.H != h {
		return fmt.Errorf("image is %d×%d, its labels are %d×%d: the sizes must agree", w, h, truth.W, truth.H)
	}
	if len(pixels) != o.Crop*o.Crop*3 || len(labels) != o.Crop*o.Crop {
		return fmt.Errorf("buffers of %d and %d values for a crop of %d×%d", len(pixels), len(labels), o.Crop, o.Crop)
	}
	from := image.Pt(max(d.At.X, 0), max(d.At.Y, 0))
	left, above := from.X-d.At.X, from.Y-d.At.Y // of padding
	nearX, nearY := nearestTable(w, d.W)[from.X:], nearestTable(h, d.H)[from.Y:]
	if o.Antialias && (w != d.W || h != d.H) {
		img = antialiased(img, d.W, d.H)
	}
	cols := linearTable(img.Rect.Dx(), d.W, from.X, o.Crop-left)
	rows := linearTable(img.Rect.Dy(), d.H, from.Y, o.Crop-above)
	nearX, nearY = nearX[:len(cols)], nearY[:len(rows)]
	if d.Flip { // it takes the padding along
		slices.Reverse(cols)
		slices.Reverse(nearX)
		left = o.Crop - left - len(cols)
	}
	o.pad(pixels, labels)
	lines := lineCache{img: img, cols: cols, in: o.Input}
	for y, r := range rows {
		start := (above+y)*o.Crop + left
		top, bottom := lines.at(r.i0), lines.at(r.i1)
		out := pixels[3*start:][:len(top)]
		bottom = bottom[:len(top)]
		for i, v := range top {
			out[i] = v + r.w*(bottom[i]-v)
		}
		src, outLabels := truth.Pix[nearY[y]*w:][:w], labels[start:]
		for x, sx := range nearX {
			outLabels[x] = src[sx]
		}
	}
	if d.recolour != nil {
		d.recolour.apply(pixels, o.Crop, image.Rect(left, above, left+len(cols), above+len(rows)), o.Input)
	}
	if d.Blur > 0 {
		gaussian(pixels, o.Crop, d.Blur)
	}
	return nil
}

// pad fills a crop with padding.
func (o Options) pad(pixels []float32, labels []uint8) {
	label := uint8(data.Ignore)
	clear(pixels)
	if o.Around {
		label = 0
		for i := range pixels {
			pixels[i] = o.Input.shift[i%3]
		}
	}
	for i := range labels {
		labels[i] = label
	}
}

// antialiased scales an image with PIL's bilinear filter, but for its rounding
// between the two directions.
func antialiased(img *image.NRGBA, w, h int) *image.NRGBA {
	out := image.NewRGBA(image.Rect(0, 0, w, h)) // photos are opaque
	draw.BiLinear.Scale(out, out.Rect, img, img.Rect, draw.Src, nil)
	return &image.NRGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect}
}

// lineCache holds the last two source rows, resampled across and normalised,
// because neighbouring output rows mostly blend the same ones.
type lineCache struct {
	img   *image.NRGBA
	cols  []lerp
	in    Input
	lines [2][]float32
	index [2]int // source row + 1; 0 is empty
	next  int
}

func (c *lineCache) at(row int) []float32 {
	for i, index := range c.index {
		if index == row+1 {
			c.next = 1 - i
			return c.lines[i]
		}
	}
	i := c.next
	if c.lines[i] == nil {
		c.lines[i] = make([]float32, 3*len(c.cols))
	}
	c.in.resample(c.lines[i], c.img.Pix[row*c.img.Stride:], c.cols)
	c.index[i], c.next = row+1, 1-i
	return c.lines[i]
}

// lerp is one output coordinate of a linear resize: (1-w)·src[i0] + w·src[i1].
type lerp struct {
	i0, i1 int
	w      float32
}

// linearTable computes n coordinates from start on of a resize from src to
// dst, fewer where dst ends.
func linearTable(src, dst, start, n int) []lerp {
	n = min(n, dst-start)
	table := make([]lerp, n)
	scale := float64(src) / float64(dst)
	for i := range table {
		f := (float64(start+i)+0.5)*scale - 0.5
		i0 := int(f)
		switch {
		case f <= 0:
			table[i] = lerp{0, 0, 0}
		case i0 >= src-1:
			table[i] = lerp{src - 1, src - 1, 0}
		default:
			table[i] = lerp{i0, i0 + 1, float32(f - float64(i0))}
		}
	}
	return table
}
