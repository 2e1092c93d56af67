package coco

import (
	"errors"
	"fmt"
	"image"
	"math"

	"wsss/data"
)

// errOutside is the error of a box that covers no pixel of its image.
var errOutside = errors.New("lies outside the image")

// errNoBox is the error of an object that has neither a box nor an outline.
var errNoBox = errors.New("no bbox, and no outline to take one from")

// errFlat is the error of a box without an area, as a click that was no drag leaves
// it, of an object without an outline.
var errFlat = errors.New("covers nothing, and there is no outline")

// box is an object's box, clipped to the image. Where the file has none of use
// (none, not numbers, or sides that are not positive) it is that of the
// outline, as pycocotools' loadRes makes it, or, of negative sides, the one
// with its corners in order. note says what was amiss
// in the file, "" for nothing.
func (x *index) box(a annotation, size image.Point) (b data.Box, note string, err error) {
	b = data.Box{
		X0: a.box[0], Y0: a.box[1], X1: a.box[0] + a.box[2], Y1: a.box[1] + a.box[3],
		Class: int(a.class), Crowd: a.crowd,
	}
	numbers := a.boxed
	for _, v := range a.box {
		numbers = numbers && math.Abs(float64(v)) <= 1<<24
	}
	if !numbers || a.box[2] <= 0 || a.box[3] <= 0 {
		if note, err = x.repair(a, &b, numbers, size); err != nil {
			return b, "", err
		}
	}
	return clip(a, b, note, size)
}

// repair makes a box of use.
func (x *index) repair(a annotation, b *data.Box, numbers bool, size image.Point) (note string, err error) {
	raw, err := x.segmentation(a)
	if err != nil {
		return "", err
	}
	o, err := parseOutline(raw)
	if err != nil {
		return "", err
	}
	e, found, err := o.extent(size)
	if err != nil {
		return "", err
	}
	switch {
	case found:
		b.X0, b.X1 = widen(e[0], e[2], size.X)
		b.Y0, b.Y1 = widen(e[1], e[3], size.Y)
		if !a.boxed {
			return "", nil
		}
		return fmt.Sprintf("bbox %v covers nothing: the outline's is taken", a.box), nil
	case numbers && a.box[2] != 0 && a.box[3] != 0:
		b.X0, b.X1 = min(b.X0, b.X1), max(b.X0, b.X1)
		b.Y0, b.Y1 = min(b.Y0, b.Y1), max(b.Y0, b.Y1)
		return fmt.Sprintf("bbox %v has negative sides: its corners are put in order", a.box), nil
	case !a.boxed:
		return "", errNoBox
	case !numbers:
		return "", fmt.Errorf("bbox %v covers nothing, and there is no outline", a.box)
	}
	return "", fmt.Errorf("bbox %v %w", a.box, errFlat)
}

// widen gives an extent without a width the pixel that it lies in: outlines of
// a line are drawn round small objects.
func widen(from, to float64, side int) (float32, float32) {
	if from < to {
		return float32(from), float32(to)
	}
	pixel := min(max(math.Floor(from), 0), float64(side-1))
	return float32(pixel), float32(pixel + 1)
}

// slack is how far a box may reach over the border without a word, pixels: real
// annotations round there.
const slack = 1

// clip takes off what lies outside the image.
func clip(a annotation, b data.Box, note string, size image.Point) (data.Box, string, error) {
	w, h := float32(size.X), float32(size.Y)
	if note == "" && (b.X0 < -slack || b.Y0 < -slack || b.X1 > w+slack || b.Y1 > h+slack) {
		note = fmt.Sprintf("bbox %v reaches out of the image of %d×%d: it is clipped", a.box, size.X, size.Y)
	}
	in := b
	in.X0, in.Y0, in.X1, in.Y1 = max(b.X0, 0), max(b.Y0, 0), min(b.X1, w), min(b.Y1, h)
	if in.X0 >= in.X1 || in.Y0 >= in.Y1 {
		return b, "", fmt.Errorf("the box (%v,%v)-(%v,%v) %w of %d×%d", b.X0, b.Y0, b.X1, b.Y1, errOutside, size.X, size.Y)
	}
	return in, note, nil
}
