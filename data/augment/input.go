package augment

import (
	"fmt"
	"image"
	"strings"

	"wsss/configs"
	"wsss/data/colour"
)

// Input is the pixel convention of a pretrained network: the channel order,
// and a scale and shift per channel. The mean colour becomes 0.
type Input struct {
	order        [3]int // output channel → index in R, G, B
	scale, shift [3]float32
}

// Caffe is BGR in 0..255 minus the mean, no standard deviation (docs/sources.md §8.1).
func Caffe() Input {
	in := Input{order: [3]int{2, 1, 0}, scale: [3]float32{1, 1, 1}}
	for c, from := range in.order {
		in.shift[c] = float32(-colour.CaffeMean[from])
	}
	return in
}

// Torch is RGB in 0..1, minus ImageNet's mean, over its standard deviation
// (docs/sources.md §8.2).
func Torch() Input { return rgb(colour.ImageNetMean, colour.ImageNetStd) }

// TF is RGB in −1..1: a value of 0..255 minus 127, over 128, as TensorFlow's
// EfficientNet-Lite sees photos.
func TF() Input { return rgb(colour.TFMean, colour.TFStd) }

// CLIP is RGB in 0..1, minus the mean of CLIP's photos, over their standard
// deviation.
func CLIP() Input { return rgb(colour.CLIPMean, colour.CLIPStd) }

func rgb(mean, std [3]float64) Input {
	in := Input{order: [3]int{0, 1, 2}}
	for c := range 3 {
		in.scale[c] = float32(1 / (255 * std[c]))
		in.shift[c] = float32(-mean[c] / std[c])
	}
	return in
}

// InputByName returns the convention that a config names, one of configs.Inputs.
func InputByName(name string) (Input, error) {
	switch name {
	case "caffe":
		return Caffe(), nil
	case "torch":
		return Torch(), nil
	case "tf":
		return TF(), nil
	case "clip":
		return CLIP(), nil
	}
	return Input{}, fmt.Errorf("train.network.input = %q is unknown: allowed are %s", name, strings.Join(configs.Inputs, ", "))
}

// Affine is the convention as numbers: output channel c is channel order[c] of R,
// G, B in 0..255, times scale[c], plus shift[c].
func (in Input) Affine() (order [3]int, scale, shift [3]float32) {
	return in.order, in.scale, in.shift
}

// Stretch writes a whole image as [height, width, 3] of that size, resized
// bilinearly as Options.Apply does where the image has another.
func (in Input) Stretch(dst []float32, size image.Point, img *image.NRGBA) {
	cols := linearTable(img.Rect.Dx(), size.X, 0, size.X)
	lines := lineCache{img: img, cols: cols, in: in}
	for y, r := range linearTable(img.Rect.Dy(), size.Y, 0, size.Y) {
		out := dst[3*y*size.X:][:3*size.X]
		if r.w == 0 {
			copy(out, lines.at(r.i0))
			continue
		}
		top, bottom := lines.at(r.i0)[:len(out)], lines.at(r.i1)[:len(out)]
		for i, v := range top {
			out[i] = v + r.w*(bottom[i]-v)
		}
	}
}

// resample writes one row of an image, resized across, as normalised pixels.
// Normalising is linear, so it may come before the blend of two rows.
func (in Input) resample(out []float32, row []uint8, cols []lerp) {
	k0, k1, k2 := in.order[0], in.order[1], in.order[2]
	s0, s1, s2 := in.scale[0], in.scale[1], in.scale[2]
	t0, t1, t2 := in.shift[0], in.shift[1], in.shift[2]
	for x, c := range cols {
		a, b := row[4*c.i0:][:4], row[4*c.i1:][:4]
		a0, a1, a2 := float32(a[k0]), float32(a[k1]), float32(a[k2])
		px := out[3*x:][:3]
		px[0] = (a0+c.w*(float32(b[k0])-a0))*s0 + t0
		px[1] = (a1+c.w*(float32(b[k1])-a1))*s1 + t1
		px[2] = (a2+c.w*(float32(b[k2])-a2))*s2 + t2
	}
}
