package coco

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"wsss/data"
)

// Photo is an image of an instances file with its objects.
type Photo struct {
	Name    string // the image file, as the file names it
	W, H    int
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
// begin with their names, then photo for each image in the order of the file.
// Errors name the file and the annotation.
func EachPhoto(path string, begin func(categories []string) error, photo func(Photo) error) error {
	names, groups, err := categoryNames(path)
	if err != nil {
		return err
	}
	if len(names) >= data.MaxClasses {
		return fmt.Errorf("%s: %d categories: at most %d are allowed", path, len(names), data.MaxClasses-1)
	}
	x, err := readIndex(path, data.Classes{Names: append([]string{"background"}, names...)})
	if err != nil {
		return err
	}
	defer x.close()
	kept := x.dropGroups(names, groups)
	if err := begin(kept); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for i, p := range x.photos {
		out := Photo{Name: p.name, W: int(p.w), H: int(p.h)}
		for _, a := range x.of(int32(i)) {
			o, err := x.object(a, p)
			if err != nil {
				return fmt.Errorf("%s: annotation %d (image %q): %w", path, a.ordinal, p.name, err)
			}
			out.Objects = append(out.Objects, o)
		}
		if err := photo(out); err != nil {
			return fmt.Errorf("%s: image %q: %w", path, p.name, err)
		}
	}
	return nil
}

// dropGroups leaves out the categories that only group others and have no
// object of their own, as Roboflow's first one does, and renumbers the rest.
func (x *index) dropGroups(names []string, groups map[string]bool) []string {
	var used [256]bool
	for _, a := range x.objects {
		used[a.class] = true
	}
	var kept []string
	var value [256]uint8
	for i, name := range names {
		if used[i+1] || !groups[name] {
			kept = append(kept, name)
			value[i+1] = uint8(len(kept))
		}
	}
	for i := range x.objects {
		x.objects[i].class = value[x.objects[i].class]
	}
	return kept
}

func (x *index) close() {
	if f, ok := x.file.(*os.File); ok {
		f.Close()
	}
}

// object reads an object's outline.
func (x *index) object(a annotation, p photo) (Object, error) {
	o := Object{Box: data.Box{
		X0: max(a.box[0], 0), Y0: max(a.box[1], 0),
		X1: min(a.box[0]+a.box[2], float32(p.w)), Y1: min(a.box[1]+a.box[3], float32(p.h)),
		Class: int(a.class), Crowd: a.crowd,
	}}
	raw, err := x.segmentation(a)
	if err != nil {
		return o, err
	}
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return o, nil
	case raw[0] == '{':
		mask, err := runLengths(raw, int(p.w), int(p.h))
		o.Mask = &mask
		return o, err
	}
	if err := json.Unmarshal(raw, &o.Rings); err != nil {
		return o, errors.New("segmentation is neither a list of polygons nor a run-length mask")
	}
	o.Rings = slices.DeleteFunc(o.Rings, func(ring []float64) bool { return len(ring) < 6 }) // stray points
	return o, nil
}

// categoryNames lists the categories of an instances file in its order, and
// which of them others name as the one above them.
func categoryNames(path string) (names []string, groups map[string]bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	s := newScanner(f)
	groups = map[string]bool{}
	err = s.object(func(key string) error {
		if key != "categories" {
			return s.skip()
		}
		return s.array(func() error {
			name, group, err := s.category()
			if name != group {
				groups[group] = true
			}
			if names = append(names, name); len(names) > 1<<16 {
				return fmt.Errorf("more than %d categories", 1<<16)
			}
			return err
		})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: byte %d: %w", path, s.offset(), err)
	}
	return names, groups, nil
}

// category reads a category's name and the one above it.
func (s *scanner) category() (name, group string, err error) {
	err = s.object(func(key string) (err error) {
		c, err := s.token()
		switch {
		case err != nil:
			return err
		case key == "name" && c == '"':
			name, err = s.text()
		case key == "supercategory" && c == '"':
			group, err = s.text()
		default:
			err = s.skip()
		}
		return err
	})
	return name, group, err
}
