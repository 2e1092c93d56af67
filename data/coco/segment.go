package coco

import (
	"fmt"
	"image"
	"slices"

	"wsss/data"
)

// Crowd says what a crowd region (iscrowd, a group that nobody took apart)
// becomes in the masks.
type Crowd string

// What crowds become.
const (
	CrowdSkip Crowd = "skip" // nothing, as in the masks of the WSSS literature
	CrowdVoid Crowd = "void" // Ignore where no object covers it
)

// rasterise paints a photo's objects in file order, later ones over earlier
// ones (docs/sources.md §9); pixels without object are background. instances numbers
// the objects from 1 and is nil where there are more than 254. An image with an
// object of which nobody drew the outline has no true mask: the error wraps
// data.ErrNoTruth.
func (x *index) rasterise(photo int32, size image.Point, crowd Crowd) (truth, instances *data.LabelMap, err error) {
	if int64(size.X)*int64(size.Y) > data.MaxPixels {
		return nil, nil, fmt.Errorf("%s: image %q of %d×%d pixels: at most %d are allowed", x.path, x.photos[photo].name, size.X, size.Y, data.MaxPixels)
	}
	objects := x.of(photo)
	truth = data.NewLabelMap(size.X, size.Y)
	if len(objects) < data.Ignore {
		instances = data.NewLabelMap(truth.W, truth.H)
	}
	some := slices.ContainsFunc(objects, func(a annotation) bool { return x.flat(a) == nil })
	for _, crowds := range []bool{true, false} {
		if crowds && crowd != CrowdVoid {
			continue
		}
		for i, a := range objects {
			if a.crowd != crowds || some && x.flat(a) != nil { // which is left out
				continue
			}
			class, number := a.class, uint8(i+1)
			if crowds {
				class, number = data.Ignore, 0
			}
			if err := x.paint(a, truth, class, instances, number); err != nil {
				return nil, nil, fmt.Errorf("%s: annotation %d (image %q): %w", x.path, a.ordinal, x.photos[photo].name, err)
			}
		}
	}
	return truth, instances, nil
}

func (x *index) paint(a annotation, truth *data.LabelMap, class uint8, instances *data.LabelMap, number uint8) error {
	masks, err := x.masks(a, truth.Size())
	if err != nil {
		return err
	}
	if len(masks) == 0 {
		if !a.crowd {
			return fmt.Errorf("%w: the object has no outline", data.ErrNoTruth)
		}
		return x.voidBox(a, truth)
	}
	for _, mask := range masks {
		mask.Each(func(column, y0, y1 int) {
			for y := y0; y < y1; y++ {
				truth.Set(column, y, class)
				if instances != nil {
					instances.Set(column, y, number)
				}
			}
		})
	}
	return nil
}

// masks reads the outline of an object.
func (x *index) masks(a annotation, size image.Point) ([]data.RLE, error) {
	raw, err := x.segmentation(a)
	if err != nil {
		return nil, err
	}
	o, err := parseOutline(raw)
	if err != nil {
		return nil, err
	}
	return o.masks(size.X, size.Y)
}

// voidBox is for a crowd of which only the box is known: nothing in it is
// scored.
func (x *index) voidBox(a annotation, truth *data.LabelMap) error {
	b, _, err := x.box(a, truth.Size())
	if err != nil {
		return fmt.Errorf("%w: a crowd without outline: %w", data.ErrNoTruth, err)
	}
	r := b.Rect().Intersect(image.Rect(0, 0, truth.W, truth.H))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			truth.Set(x, y, data.Ignore)
		}
	}
	return nil
}
