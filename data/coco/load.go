package coco

import (
	"errors"
	"fmt"
	"image"
	"path"
	"path/filepath"
	"strings"

	"wsss/data"
)

// imageNumber brings the names that label files and masks use for an image of
// COCO together: COCO_train2014_000000000009, 000000000009 and 9 all become 9.
// Other names stay.
func imageNumber(name string) string {
	digits := name
	if rest, ok := strings.CutPrefix(name, "COCO_"); ok {
		if _, number, ok := strings.Cut(rest, "_"); ok {
			digits = number
		}
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return name
	}
	if short := strings.TrimLeft(digits, "0"); short != "" {
		return short
	}
	return "0"
}

// ImagePath is the image file of a sample, in the first folder that has it.
// A file name whose folders are not there is looked for without them, as long
// as no other image has that name.
func (d *Dataset) ImagePath(id string) string {
	if file := d.imageFile(id); file != "" {
		return file
	}
	for rest := id; ; {
		_, after, more := strings.Cut(rest, "/")
		if !more {
			break
		}
		if rest = after; d.known(rest) {
			break
		}
		if file := d.imageFile(rest); file != "" {
			return file
		}
	}
	return filepath.Join(d.images[0], filepath.FromSlash(id)+".jpg")
}

// imageFile is the file of exactly this id, "" where there is none.
func (d *Dataset) imageFile(id string) string {
	for _, p := range d.parts {
		name, mine := p.photo(id)
		if p.folder == "" || !mine {
			continue
		}
		for _, dir := range append([]string{""}, imageDirs...) {
			if file := d.finder.Image(filepath.Join(d.root, p.folder, dir), name); file != "" {
				return file
			}
		}
	}
	for _, dir := range d.images {
		if file := d.finder.Image(dir, id); file != "" {
			return file
		}
	}
	return ""
}

// known tells whether a part that is in memory has an image of this id.
func (d *Dataset) known(id string) bool {
	for _, p := range d.parts {
		if !p.used.Load() {
			continue
		}
		x, err := p.index()
		if err != nil {
			return false
		}
		if name, mine := p.photo(id); mine {
			if _, ok := x.byName[name]; ok {
				return true
			}
		}
	}
	return false
}

// Load reads the wanted parts of an image.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if !filepath.IsLocal(id) || strings.ContainsAny(id, "\\\x00") {
		return nil, fmt.Errorf("%q is no image id", id)
	}
	return data.LoadParts(id, want, d.ImagePath, func(id string) (*data.LabelMap, error) { m, _, err := d.truth(id); return m, err }, d.weak.Load)
}

// MaskPath is the prepared mask of a sample, "" where there is none.
func (d *Dataset) MaskPath(id string) string {
	for _, dir := range d.masks {
		for _, name := range []string{id, imageNumber(id)} {
			if file := d.finder.Mask(dir, name, path.Base(id)+".jpg", d.known); file != "" {
				return file
			}
		}
	}
	return ""
}

// truth reads the prepared mask, or paints the annotations, and then also
// returns the object numbers.
func (d *Dataset) truth(id string) (truth, instances *data.LabelMap, err error) {
	if len(d.masks) == 0 {
		x, photo, err := d.find(id)
		if err != nil {
			return nil, nil, err
		}
		size, err := d.size(x, photo, id)
		if err != nil {
			return nil, nil, err
		}
		if truth, instances, err = x.rasterise(photo, size, d.cfg.Crowd); err != nil {
			return nil, nil, err
		}
		if instances != nil {
			instances = data.Upright(d.ImagePath(id), instances)
		}
		return data.Upright(d.ImagePath(id), truth), instances, nil
	}
	file := d.MaskPath(id)
	if file == "" {
		return nil, nil, fmt.Errorf("%s: %w: no %s.png in %s", id, data.ErrNoTruth, id, strings.Join(d.masks, ", "))
	}
	m, err := d.coding.Read(file)
	if err != nil {
		return nil, nil, err
	}
	if err := m.CheckRange(d.classes.Len()); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return data.Upright(d.ImagePath(id), m), nil, nil
}

// size is what the file says of a photo's size or, where it says nothing, what
// the image does.
func (d *Dataset) size(x *index, photo int32, id string) (image.Point, error) {
	p := x.photos[photo]
	if p.w > 0 && p.h > 0 {
		return image.Pt(int(p.w), int(p.h)), nil
	}
	size, err := data.ImageSize(d.ImagePath(id))
	if err != nil {
		err = fmt.Errorf("%s: image %q has no width and height, and its file does not tell: %w", x.path, id, err)
	}
	return size, err
}

// find looks an image up in the instances file that its name points to, then
// in those that are in memory, and last in the others.
func (d *Dataset) find(id string) (*index, int32, error) {
	order := make([]*part, 0, 3*len(d.parts))
	for _, p := range d.parts {
		if strings.HasPrefix(id, "COCO_"+p.name+"_") {
			order = append(order, p)
		}
	}
	for _, p := range d.parts {
		if p.used.Load() {
			order = append(order, p)
		}
	}
	var files []string
	for _, p := range append(order, d.parts...) {
		name, mine := p.photo(id)
		if !mine {
			continue
		}
		x, err := p.index()
		if err != nil {
			return nil, 0, err
		}
		if photo, ok := x.byName[name]; ok {
			return x, photo, nil
		}
	}
	for _, p := range d.parts {
		files = append(files, p.path)
	}
	return nil, 0, fmt.Errorf("image %q is not in %s", id, strings.Join(files, ", "))
}

// readOwn makes tags and boxes of the annotations. Like the masks, tags leave
// crowds out. Boxes are clipped to the image. Objects whose box covers nothing and
// that have no outline are left out; where all of an image are such it is an error. An image of whose objects none
// has a box, nor an outline to take it from, has tags only.
func (d *Dataset) readOwn(id string) ([]int, []data.Box, error) {
	x, photo, err := d.find(id)
	if err != nil {
		return nil, nil, err
	}
	size, err := d.size(x, photo, id)
	if err != nil {
		return nil, nil, err
	}
	var seen [256]bool
	boxes := []data.Box{}
	var missing, flat error
	for _, a := range x.of(photo) {
		if a.class == 0 {
			continue
		}
		b, _, err := x.box(a, size)
		if errors.Is(err, errFlat) {
			flat = errors.Join(flat, fmt.Errorf("%s: annotation %d (image %q): %w", x.path, a.ordinal, id, err))
			continue
		}
		seen[a.class] = seen[a.class] || !a.crowd
		switch {
		case errors.Is(err, errNoBox):
			missing = errors.Join(missing, fmt.Errorf("%s: annotation %d (image %q): %w", x.path, a.ordinal, id, err))
		case err != nil:
			return nil, nil, fmt.Errorf("%s: annotation %d (image %q): %w", x.path, a.ordinal, id, err)
		default:
			boxes = append(boxes, b)
		}
	}
	if flat != nil && missing == nil && len(boxes) == 0 {
		return nil, nil, flat
	}
	if missing != nil {
		if len(boxes) > 0 {
			return nil, nil, missing
		}
		boxes = nil
	}
	w := data.WeakLabels{Boxes: boxes}
	w.Upright(d.ImagePath(id), size)
	return data.Objects(seen), w.Boxes, nil
}
