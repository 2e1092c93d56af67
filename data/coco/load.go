package coco

import (
	"errors"
	"fmt"
	"image"
	"os"
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
func (d *Dataset) ImagePath(id string) string {
	for _, dir := range d.images {
		for _, ext := range []string{".jpg", ".png", ".jpeg"} {
			path := filepath.Join(dir, id+ext)
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				return path
			}
		}
	}
	return filepath.Join(d.images[0], id+".jpg")
}

// Load reads the wanted parts of an image.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if !filepath.IsLocal(id) || strings.ContainsAny(id, "/\\\x00") {
		return nil, fmt.Errorf("%q is no image id", id)
	}
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantImage != 0 {
		if s.Image, err = data.ReadImage(d.ImagePath(id)); err != nil {
			return nil, err
		}
	}
	if want&data.WantTruth != 0 {
		if s.Truth, _, err = d.truth(id); err != nil {
			return nil, err
		}
	}
	if want&data.WantWeak != 0 {
		if s.Weak, err = d.weak.Load(id); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// truth reads the prepared mask, or paints the annotations, and then also
// returns the object numbers.
func (d *Dataset) truth(id string) (truth, instances *data.LabelMap, err error) {
	if len(d.masks) == 0 {
		x, photo, err := d.find(id)
		if err != nil {
			return nil, nil, err
		}
		if truth, instances, err = x.rasterise(photo, d.cfg.Crowd); err != nil {
			return nil, nil, err
		}
		if instances != nil {
			instances = data.Upright(d.ImagePath(id), instances)
		}
		return data.Upright(d.ImagePath(id), truth), instances, nil
	}
	for _, dir := range d.masks {
		for _, name := range []string{id, imageNumber(id)} {
			path := filepath.Join(dir, name+".png")
			m, err := data.ReadLabelMap(path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			if err := m.CheckRange(d.classes.Len()); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
			return data.Upright(d.ImagePath(id), m), nil, nil
		}
	}
	return nil, nil, fmt.Errorf("%s: %w: no %s.png in %s", id, data.ErrNoTruth, id, strings.Join(d.masks, ", "))
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
	for _, p := range append(order, d.parts...) {
		x, err := p.index()
		if err != nil {
			return nil, 0, err
		}
		if photo, ok := x.byName[id]; ok {
			return x, photo, nil
		}
	}
	return nil, 0, fmt.Errorf("image %q is in none of %s/instances_*.json", id, filepath.Join(d.root, annotationDir))
}

// readOwn makes tags and boxes of the annotations. Like the masks, tags leave
// crowds out. Boxes are clipped to the image; those that cover nothing then are
// left out: COCO has a few.
func (d *Dataset) readOwn(id string) ([]int, []data.Box, error) {
	x, photo, err := d.find(id)
	if err != nil {
		return nil, nil, err
	}
	p := x.photos[photo]
	var seen [256]bool
	boxes := []data.Box{}
	for _, a := range x.of(photo) {
		seen[a.class] = seen[a.class] || !a.crowd
		b := data.Box{
			X0: max(a.box[0], 0), Y0: max(a.box[1], 0),
			X1: min(a.box[0]+a.box[2], float32(p.w)), Y1: min(a.box[1]+a.box[3], float32(p.h)),
			Class: int(a.class), Crowd: a.crowd,
		}
		if b.X0 < b.X1 && b.Y0 < b.Y1 {
			boxes = append(boxes, b)
		}
	}
	tags := []int{}
	for c, yes := range seen {
		if yes {
			tags = append(tags, c)
		}
	}
	w := data.WeakLabels{Boxes: boxes}
	w.Upright(d.ImagePath(id), image.Pt(int(p.w), int(p.h)))
	return tags, w.Boxes, nil
}
