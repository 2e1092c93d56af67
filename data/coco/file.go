package coco

import (
	"errors"
	"fmt"
	"image"
	"os"

	"wsss/data"
)

// Photo is an image of an instances file with its objects.
type Photo struct {
	Name    string // the image file as the file names it, without extension
	W, H    int    // 0 where the file does not say
	Objects []Object
}

// Object is one annotation: its box, clipped to the image, whose class counts
// from 1 in the order of the categories, and its outline as polygons or as a
// mask, or neither.
type Object struct {
	data.Box
	Rings [][]float64 // x0, y0, x1, y1, …; their union is the object
	Mask  *data.RLE
}

// EachPhoto reads an instances file with whatever categories it has. It calls
// begin with their names, then photo for each image in the order of the file, and
// fault for what is odd though labels can be made of it, and leave for each object
// that is left out since its box covers nothing and it has no outline.
// A box that lies outside its image stays as it is, as in the files of other
// tools (data.WeakLabels.CheckBoxes names it). Errors name the file and the
// annotation; where annotations are bad it is a *data.LineErrors of them all.
func EachPhoto(path string, begin func(categories []string) error, fault func(data.Fault), leave func(error), photo func(Photo) error) error {
	x, err := readIndex(path, nil)
	if err != nil {
		return err
	}
	defer x.close()
	names, err := ownClasses([]*index{x})
	if err != nil && len(x.photos) > 0 {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := x.classify(data.Classes{Names: names}, false); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := begin(names[min(1, len(names)):]); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	bad := &data.LineErrors{Path: path}
	for i, p := range x.photos {
		out := Photo{Name: p.name, W: int(p.w), H: int(p.h)}
		for _, a := range x.of(int32(i)) {
			if a.class == 0 {
				continue
			}
			o, note, err := x.object(a, p)
			if note != "" {
				fault(data.Fault{Kind: "box-clipped", Warning: true, Message: fmt.Sprintf("%s: annotation %d (image %q): %s", path, a.ordinal, p.name, note)})
			}
			if errors.Is(err, errFlat) {
				leave(fmt.Errorf("%s: annotation %d (image %q): %w", path, a.ordinal, p.name, err))
				continue
			}
			if err != nil {
				bad.AddItem(fmt.Sprintf(" annotation %d (image %q): %v", a.ordinal, p.name, err))
				continue
			}
			out.Objects = append(out.Objects, o)
		}
		if err := photo(out); err != nil {
			return fmt.Errorf("%s: image %q: %w", path, p.name, err)
		}
	}
	for _, f := range x.faults {
		f.Message = path + ": " + f.Message
		fault(f)
	}
	return bad.Err()
}

func (x *index) close() {
	if f, ok := x.file.(*os.File); ok {
		f.Close()
	}
}

// unknownSize stands for the size of an image that the file does not tell.
var unknownSize = image.Pt(1<<20, 1<<20)

// object reads an object's box and outline. Where the size of the image is not
// known the box is not clipped.
func (x *index) object(a annotation, p photo) (o Object, note string, err error) {
	size := image.Pt(int(p.w), int(p.h))
	if size.X == 0 || size.Y == 0 {
		size = unknownSize
	}
	o.Box, note, err = x.box(a, size)
	if err != nil && !errors.Is(err, errOutside) {
		return o, note, err
	}
	raw, err := x.segmentation(a)
	if err != nil {
		return o, note, err
	}
	outline, err := parseOutline(raw)
	if err != nil || outline.runs == nil {
		o.Rings = outline.polygons
		return o, note, err
	}
	mask, err := outline.runs.mask(size.X, size.Y)
	if mask.Area() > 0 {
		o.Mask = &mask
	}
	return o, note, err
}
