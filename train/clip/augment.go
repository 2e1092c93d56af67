package clip

import (
	"image"
	"math"
	"math/rand/v2"

	"wsss/data/imageproc"
	"wsss/models/foundation/cliptags"
)

// Of the strong augmentation. A crop keeps half the image at least, because a
// smaller one often loses the object that the label is about.
const (
	minArea    = 0.5
	maxAspect  = 4.0 / 3
	colour     = 0.3  // brightness, contrast and saturation change by so much
	eraseShare = 0.25 // of the images lose a rectangle …
	eraseMax   = 0.15 // … of so much of their area
)

// prepare makes the network's input of an image, [3, size, size], under an
// augmentation: "none" is CLIP's own preprocessing (docs/sources.md §7), "flip" adds a
// mirror image half of the time, "strong" crops, flips, changes colours and
// erases.
func prepare(dst []float32, img *imageproc.RGB, size int, kind string, rng *rand.Rand) {
	if kind == "none" {
		cliptags.Prepare(dst, img, size)
		return
	}
	flip := rng.IntN(2) == 1
	if kind == "strong" {
		img = randomCrop(img, size, rng)
	} else {
		img = img.ResizeShort(size, imageproc.Bicubic).CentreCrop(size)
	}
	if flip {
		img.Mirror()
	}
	if kind == "strong" {
		recolour(img, rng)
	}
	img.Planar(imageproc.CLIPNorm, dst, size, size)
	if kind == "strong" && rng.Float64() < eraseShare {
		erase(dst, size, rng)
	}
}

// randomCrop cuts out a part of random area and shape and resizes it.
func randomCrop(img *imageproc.RGB, size int, rng *rand.Rand) *imageproc.RGB {
	area := (minArea + (1-minArea)*rng.Float64()) * float64(img.W*img.H)
	aspect := math.Exp((2*rng.Float64() - 1) * math.Log(maxAspect))
	w := min(max(int(math.Round(math.Sqrt(area*aspect))), 1), img.W)
	h := min(max(int(math.Round(math.Sqrt(area/aspect))), 1), img.H)
	x, y := rng.IntN(img.W-w+1), rng.IntN(img.H-h+1)
	return img.Crop(image.Rect(x, y, x+w, y+h)).Resize(size, size, imageproc.Bicubic)
}

// recolour changes brightness, contrast and saturation in place.
func recolour(img *imageproc.RGB, rng *rand.Rand) {
	factor := func() float64 { return 1 + colour*(2*rng.Float64()-1) }
	bright, contrast, saturate := factor(), factor(), factor()
	mean := 0.0
	for i := 0; i < len(img.Pix); i += 3 {
		mean += grey(img.Pix[i:])
	}
	mean *= 3 / float64(len(img.Pix))
	for i := 0; i < len(img.Pix); i += 3 {
		g := grey(img.Pix[i:])
		for c := range 3 {
			v := g + (float64(img.Pix[i+c])-g)*saturate
			v = (mean + (v-mean)*contrast) * bright
			img.Pix[i+c] = uint8(min(max(v+0.5, 0), 255))
		}
	}
}

func grey(p []uint8) float64 {
	return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
}

// erase sets a random rectangle to zero, the mean colour after normalisation.
func erase(planes []float32, size int, rng *rand.Rand) {
	area := eraseMax * rng.Float64() * float64(size*size)
	aspect := math.Exp((2*rng.Float64() - 1) * math.Log(2))
	w := min(max(int(math.Sqrt(area*aspect)), 1), size)
	h := min(max(int(math.Sqrt(area/aspect)), 1), size)
	x, y := rng.IntN(size-w+1), rng.IntN(size-h+1)
	for c := range 3 {
		for row := y; row < y+h; row++ {
			clear(planes[(c*size+row)*size+x : (c*size+row)*size+x+w])
		}
	}
}
