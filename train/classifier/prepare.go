package classifier

import (
	"image"
	"math"
	"math/rand/v2"

	"wsss/configs"
	"wsss/data/imageproc"
)

// prepare writes the network's input [crop, crop, 3] of an image into dst,
// which is zero, the mean colour. In training the long side gets a random
// length, half the images are mirrored, and a random part of the image lies at
// a random place of the canvas (docs/sources.md §11.1). At test time, where rng is nil,
// the image is only made smaller if it is larger than the canvas, and lies in
// its middle.
func prepare(dst []float32, img image.Image, c configs.Classifier, rng *rand.Rand) {
	m := imageproc.FromImage(img)
	long := max(m.W, m.H)
	if rng == nil {
		m = resizeLong(m, min(long, c.Crop))
		place(dst, m, c, image.Pt(max(c.Crop-m.W, 0)/2, max(c.Crop-m.H, 0)/2), image.Point{})
		return
	}
	if len(c.Long) == 2 {
		m = resizeLong(m, c.Long[0]+rng.IntN(c.Long[1]-c.Long[0]+1))
	}
	if c.Flip && rng.IntN(2) == 1 {
		m.Mirror()
	}
	var at, from image.Point
	at.X, from.X = offsets(rng, m.W, c.Crop)
	at.Y, from.Y = offsets(rng, m.H, c.Crop)
	place(dst, m, c, at, from)
}

// resizeLong gives the long side so many pixels, the other to the nearest whole
// number.
func resizeLong(m *imageproc.RGB, long int) *imageproc.RGB {
	scale := float64(long) / float64(max(m.W, m.H))
	side := func(n int) int { return max(1, int(math.RoundToEven(float64(n)*scale))) }
	return m.Resize(side(m.W), side(m.H), imageproc.Bicubic)
}

// offsets draws where an axis begins in the canvas, or in the image where that
// is longer.
func offsets(rng *rand.Rand, n, crop int) (at, from int) {
	if n > crop {
		return 0, rng.IntN(n - crop + 1)
	}
	return rng.IntN(crop - n + 1), 0
}

// place writes the part of an image from a pixel on into the canvas.
func place(dst []float32, m *imageproc.RGB, c configs.Classifier, at, from image.Point) {
	crop := c.Crop
	part := image.Rect(from.X, from.Y, min(m.W, from.X+crop), min(m.H, from.Y+crop))
	m.Crop(part).Interleaved(imageproc.NormOf(c.Input), dst, crop, at)
}
