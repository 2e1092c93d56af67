package coco

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"wsss/data"
	"wsss/data/weak"
)

// Bounds of an instances file: COCO's largest has 118,287 images and 860,001
// annotations.
const (
	maxImages       = 1 << 24
	maxAnnotations  = 1 << 26
	maxSegmentation = 16 << 20 // bytes of JSON
)

// photo is an image of an instances file.
type photo struct {
	id   int64
	name string // file name without folder and extension
	w, h int32
}

// annotation is one object, in 48 bytes: its outline stays in the file.
type annotation struct {
	image   int64 // image_id while the file is read, then the photo's number
	offset  int64 // of the segmentation's JSON
	box     [4]float32
	length  int32 // of the segmentation's JSON; 0 where there is none
	class   uint8
	crowd   bool
	ordinal uint32 // number in the file, for errors
}

// index is what is kept of an instances file: tens of megabytes for one of
// 450. Outlines are read from the file, which stays open, when asked for.
type index struct {
	path    string
	file    io.ReaderAt
	photos  []photo // in file order
	byName  map[string]int32
	objects []annotation // grouped by photo, in file order within one
	first   []int32      // objects[first[i]:first[i+1]] belong to photos[i]
}

// readIndex scans an instances file once.
func readIndex(path string, classes data.Classes) (*index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	x, err := scanIndex(f, classes)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	x.path, x.file = path, f
	return x, nil
}

// scanIndex is readIndex on a stream.
func scanIndex(r io.Reader, classes data.Classes) (*index, error) {
	x := &index{}
	s := newScanner(r)
	categories := map[int64]string{}
	var raw []int64 // category_id of each object; categories come last
	seen := map[string]bool{}
	err := s.object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("key %q occurs twice", key)
		}
		seen[key] = true
		switch key {
		case "images":
			return s.array(func() error { return x.scanPhoto(s) })
		case "annotations":
			return s.array(func() error {
				category, err := x.scanObject(s)
				raw = append(raw, category)
				return err
			})
		case "categories":
			return s.array(func() error { return scanCategory(s, categories) })
		}
		return s.skip()
	})
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", s.offset(), err)
	}
	for _, key := range []string{"images", "annotations", "categories"} {
		if !seen[key] {
			return nil, fmt.Errorf("lacks the key %q: an instances file is expected", key)
		}
	}
	if err := x.classify(raw, categories, classes); err != nil {
		return nil, err
	}
	return x, x.group()
}

func (x *index) scanPhoto(s *scanner) error {
	p := photo{id: -1}
	err := s.object(func(key string) error {
		var err error
		switch key {
		case "id":
			p.id, err = s.whole()
		case "file_name":
			var name string
			name, err = s.text()
			p.name = weak.Stem(name)
		case "width":
			p.w, err = s.side()
		case "height":
			p.h, err = s.side()
		default:
			err = s.skip()
		}
		return prefix(key, err)
	})
	switch {
	case err != nil:
		return fmt.Errorf("image %d: %w", len(x.photos)+1, err)
	case p.id < 0 || p.name == "" || p.w == 0 || p.h == 0:
		return fmt.Errorf("image %d lacks id, file_name, width or height", len(x.photos)+1)
	case p.name == "." || p.name == ".." || p.name == "/":
		return fmt.Errorf("image %d has the file name %q", len(x.photos)+1, p.name)
	case len(x.photos) == maxImages:
		return fmt.Errorf("more than %d images", maxImages)
	}
	x.photos = append(x.photos, p)
	return nil
}

func (x *index) scanObject(s *scanner) (category int64, err error) {
	a := annotation{image: -1, ordinal: uint32(len(x.objects) + 1)}
	category = -1
	err = s.object(func(key string) error {
		var err error
		switch key {
		case "image_id":
			a.image, err = s.whole()
		case "category_id":
			category, err = s.whole()
		case "iscrowd":
			var v float64
			v, err = s.number()
			a.crowd = v != 0
		case "bbox":
			err = a.scanBox(s)
		case "segmentation":
			if _, err = s.token(); err == nil {
				a.offset = s.offset()
				err = s.skip()
			}
			length := s.offset() - a.offset
			if length > maxSegmentation {
				return fmt.Errorf("segmentation of %d bytes: at most %d are read", length, maxSegmentation)
			}
			a.length = int32(length)
		default:
			err = s.skip()
		}
		return prefix(key, err)
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("annotation %d: %w", a.ordinal, err)
	case a.image < 0 || category < 0:
		return 0, fmt.Errorf("annotation %d lacks image_id or category_id", a.ordinal)
	case len(x.objects) == maxAnnotations:
		return 0, fmt.Errorf("more than %d annotations", maxAnnotations)
	}
	x.objects = append(x.objects, a)
	return category, nil
}

func (a *annotation) scanBox(s *scanner) error {
	n := 0
	err := s.array(func() error {
		v, err := s.number()
		if err == nil && (n == 4 || !(math.Abs(v) <= 1<<24)) {
			err = errors.New("not four pixel numbers")
		}
		if err == nil {
			a.box[n] = float32(v)
			n++
		}
		return err
	})
	if err == nil && n != 4 {
		err = errors.New("not four pixel numbers")
	}
	return err
}

func scanCategory(s *scanner, categories map[int64]string) error {
	id, name := int64(-1), ""
	err := s.object(func(key string) error {
		var err error
		switch key {
		case "id":
			id, err = s.whole()
		case "name":
			name, err = s.text()
		default:
			err = s.skip()
		}
		return err
	})
	if err == nil && (id < 0 || name == "") {
		err = errors.New("lacks id or name")
	}
	if _, dup := categories[id]; err == nil && (dup || len(categories) > 1<<16) {
		err = fmt.Errorf("id %d occurs twice", id)
	}
	categories[id] = name
	return prefix(fmt.Sprintf("category %d", len(categories)), err)
}

func (s *scanner) side() (int32, error) {
	n, err := s.whole()
	if err == nil && (n < 1 || n > 1<<20) {
		err = fmt.Errorf("%d is no side of an image", n)
	}
	return int32(n), err
}

func prefix(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// classify turns category ids into label values by name.
func (x *index) classify(raw []int64, categories map[int64]string, classes data.Classes) error {
	label := make(map[int64]uint8, len(categories))
	for id, name := range categories {
		if c := classes.Index(name); c > 0 {
			label[id] = uint8(c)
		}
	}
	for i, id := range raw {
		c, ok := label[id]
		if !ok {
			if name, known := categories[id]; known {
				return fmt.Errorf("annotation %d has category %d (%q), which is not among the %d classes: list them in data.options.classes",
					i+1, id, name, classes.Len()-1)
			}
			return fmt.Errorf("annotation %d has category_id %d, which is not among the %d categories of the file", i+1, id, len(categories))
		}
		x.objects[i].class = c
	}
	return nil
}

// group sorts the objects by image and builds the look-up by name.
func (x *index) group() error {
	number := make(map[int64]int32, len(x.photos))
	x.byName = make(map[string]int32, len(x.photos))
	for i, p := range x.photos {
		if _, dup := number[p.id]; dup {
			return fmt.Errorf("image id %d occurs twice", p.id)
		}
		if _, dup := x.byName[p.name]; dup {
			return fmt.Errorf("image name %q occurs twice", p.name)
		}
		number[p.id], x.byName[p.name] = int32(i), int32(i)
	}
	x.first = make([]int32, len(x.photos)+1)
	for i := range x.objects {
		a := &x.objects[i]
		photo, ok := number[a.image]
		if !ok {
			return fmt.Errorf("annotation %d is of image %d, which is not among the images", a.ordinal, a.image)
		}
		a.image = int64(photo)
		x.first[photo+1]++
	}
	for i := range x.photos {
		x.first[i+1] += x.first[i]
	}
	grouped := make([]annotation, len(x.objects))
	next := append([]int32(nil), x.first...)
	for _, a := range x.objects {
		grouped[next[a.image]] = a
		next[a.image]++
	}
	x.objects = grouped
	return nil
}

// of returns the objects of a photo, in file order.
func (x *index) of(photo int32) []annotation { return x.objects[x.first[photo]:x.first[photo+1]] }

// segmentation reads an object's JSON from the file.
func (x *index) segmentation(a annotation) ([]byte, error) {
	raw := make([]byte, a.length)
	_, err := x.file.ReadAt(raw, a.offset)
	return raw, err
}
