package coco

import (
	"errors"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/data"
	photofile "wsss/data/photo"
)

// Faults lists what is odd in the annotations of an image though labels can be
// made of them. It implements data.Faulty.
func (d *Dataset) Faults(id string) []data.Fault {
	var faults []data.Fault
	add := func(warning bool, kind, format string, args ...any) {
		faults = append(faults, data.Fault{Kind: kind, Message: fmt.Sprintf(format, args...), Warning: warning})
	}
	x, number, err := d.find(id)
	if err != nil {
		return nil // Load tells it
	}
	size, err := d.size(x, number, id)
	if err != nil {
		return nil
	}
	p := x.photos[number]
	if actual, other := photofile.OtherSize(d.ImagePath(id), size); other {
		add(false, "size", "%s: image %q is %d×%d for the file, but %s is %d×%d: its boxes and outlines are of another size", x.path, p.name, size.X, size.Y, d.ImagePath(id), actual.X, actual.Y)
	}
	if written, ok := x.moved[number]; ok {
		add(true, "file-name", "%s: image %d has the file name %.200q, which leads out of the folder: %q is taken", x.path, number+1, written, p.name)
	} else if file := d.ImagePath(id); d.imageFile(id) == "" && files.IsFile(file) {
		add(true, "file-name", "%s: there is no image %q: %s is taken", x.path, p.name, file)
	}
	boxes, missing, flat := 0, []data.Fault{}, []data.Fault{}
	for _, a := range x.of(number) {
		item := fmt.Sprintf("%s: annotation %d (image %q)", x.path, a.ordinal, p.name)
		switch _, note, err := x.box(a, size); {
		case errors.Is(err, errNoBox):
			missing = append(missing, data.Fault{Kind: "box-missing", Warning: true, Message: fmt.Sprintf("%s: %v", item, err)})
		case errors.Is(err, errFlat):
			flat = append(flat, data.Fault{Kind: "object-empty", Warning: true, Message: fmt.Sprintf("%s: %v: it is left out", item, err)})
		case err == nil:
			if boxes++; note != "" {
				add(true, "box-clipped", "%s: %s", item, note)
			}
		}
		raw, err := x.segmentation(a)
		if err != nil {
			continue
		}
		o, err := parseOutline(raw)
		for _, note := range o.notes {
			add(true, "outline", "%s: %s", item, note)
		}
		if err == nil && o.runs != nil {
			_, err = o.runs.mask(size.X, size.Y)
		}
		// Those of other objects are errors of the true mask, where it is painted.
		if err != nil && (len(d.masks) > 0 || a.crowd && d.cfg.Crowd != CrowdVoid) {
			add(false, "outline", "%s: %v", item, err)
		}
	}
	if boxes == 0 { // else it is an error of the labels
		faults = append(faults, missing...)
	}
	if boxes > 0 || len(missing) > 0 { // else it is one
		faults = append(faults, flat...)
	}
	return faults
}

// FileFaults lists what is wrong with the annotation files of a split.
func (d *Dataset) FileFaults(split string) []data.Fault {
	var faults []data.Fault
	for _, p := range d.parts {
		if p.name != split && d.cfg.ValFraction == 0 && len(d.parts) > 1 {
			continue
		}
		x, err := p.index()
		if err != nil {
			continue // listing the images tells it
		}
		for _, f := range x.faults {
			f.Message = x.path + ": " + f.Message
			faults = append(faults, f)
		}
		without := 0
		for i := range x.photos {
			if len(x.of(int32(i))) == 0 {
				without++
			}
		}
		if without > 0 && d.own && !d.cfg.Unannotated {
			faults = append(faults, data.Fault{Kind: "unannotated", Warning: true, Message: fmt.Sprintf(
				"%s: %d of %d images have no annotation and are left out: data.options.unannotated = true keeps them, as images of nothing but background", x.path, without, len(x.photos))})
		}
	}
	return faults
}
