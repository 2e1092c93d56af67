package coco

import (
	"errors"
	"fmt"

	"wsss/data"
)

// LeftOut says which boxes of the annotation files in use are left out, since they
// cover nothing and have no outline.
func (d *Dataset) LeftOut() []string {
	var empty data.LineErrors
	for _, p := range d.parts {
		if !p.used.Load() {
			continue
		}
		x, err := p.index()
		if err != nil {
			continue // listing the images tells it
		}
		for i := range x.photos {
			for _, a := range x.of(int32(i)) {
				if err := x.flat(a); err != nil {
					empty.AddItem(fmt.Sprintf("%s: annotation %d (image %q): %v: it is left out", x.path, a.ordinal, x.photos[i].name, err))
				}
			}
		}
	}
	if err := empty.Err(); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// flat is errFlat where an object's box covers nothing and it has no outline, nil for
// all else. The outlines of other objects are not read.
func (x *index) flat(a annotation) error {
	if a.class == 0 || !a.boxed || a.box[2] != 0 && a.box[3] != 0 {
		return nil
	}
	if _, _, err := x.box(a, unknownSize); errors.Is(err, errFlat) {
		return err
	}
	return nil
}
