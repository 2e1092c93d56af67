package voc

import (
	"fmt"
	"image"
	"path/filepath"

	"wsss/data"
	"wsss/data/photo"
	"wsss/data/weak"
)

// xmlFile is the annotation of a sample, "" where there is none.
func (d *Dataset) xmlFile(id string) string {
	return d.finder.File(filepath.Join(d.root, annotationDir), id+".xml")
}

// readXML reads the tags and boxes of an image; nil where it has no file.
func (d *Dataset) readXML(id string) ([]int, []data.Box, error) {
	a, size, err := d.annotation(id)
	if a == nil || err != nil {
		return nil, nil, err
	}
	w := data.WeakLabels{Boxes: a.Boxes}
	w.Upright(d.ImagePath(id), size)
	return a.Tags, w.Boxes, nil
}

// annotation reads an image's file, nil where there is none, and the size that
// its boxes refer to: the file's or, where that has none, the photo's.
func (d *Dataset) annotation(id string) (*weak.Annotation, image.Point, error) {
	path := d.xmlFile(id)
	if path == "" {
		return nil, image.Point{}, nil
	}
	a, err := weak.ReadVOCXML(path, d.classes)
	if err != nil {
		return nil, image.Point{}, err
	}
	size := image.Pt(a.W, a.H)
	if size.X == 0 || size.Y == 0 {
		if size, err = data.ImageSize(d.ImagePath(id)); err != nil {
			return a, image.Pt(a.W, a.H), nil // loading the image tells it
		}
	}
	if err := a.Clip(size.X, size.Y); err != nil {
		return nil, size, fmt.Errorf("%s: %w", path, err)
	}
	return a, size, nil
}

// SkippedNames lists the objects of an image's annotation that are of none of
// the classes, so that validation can tell of them.
func (d *Dataset) SkippedNames(id string) ([]string, error) {
	a, _, err := d.annotation(id)
	if a == nil || err != nil {
		return nil, err
	}
	return a.Other, nil
}

// Faults lists what is odd in the annotation of an image though labels can be
// made of it. It implements data.Faulty.
func (d *Dataset) Faults(id string) []data.Fault {
	a, size, err := d.annotation(id)
	if a == nil || err != nil {
		return nil // Load tells it
	}
	path := d.xmlFile(id)
	var faults []data.Fault
	if actual, other := photo.OtherSize(d.ImagePath(id), size); other {
		faults = append(faults, data.Fault{Kind: "size", Message: fmt.Sprintf("%s: the image is %d×%d for the file, but %s is %d×%d: its boxes are of another size",
			path, size.X, size.Y, d.ImagePath(id), actual.X, actual.Y)})
	}
	return append(faults, a.Faults(path)...)
}

// FileFaults is empty: every file is of one image.
func (d *Dataset) FileFaults(string) []data.Fault { return nil }
