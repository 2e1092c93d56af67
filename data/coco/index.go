package coco

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/names"
)

// Bounds of an instances file: COCO's largest has 118,287 images and 860,001
// annotations.
const (
	maxImages       = 1 << 24
	maxAnnotations  = 1 << 26
	maxSegmentation = 16 << 20 // bytes of JSON
	maxFaults       = 1000     // that are kept of one file
)

// photo is an image of an instances file.
type photo struct {
	id   int64
	name string // file name below the folder of images, without extension
	w, h int32  // 0 where the file does not say
}

// annotation is one object, in 48 bytes: its outline stays in the file.
type annotation struct {
	image   int64 // image_id while the file is read, then the photo's number
	offset  int64 // of the segmentation's JSON
	box     [4]float32
	length  int32 // of the segmentation's JSON; 0 where there is none
	class   uint8
	crowd   bool   // or to be ignored
	boxed   bool   // has a bbox
	ordinal uint32 // number in the file, for errors
}

// index is what is kept of an instances file: tens of megabytes for one of
// 450. Outlines are read from the file, which stays open, when asked for.
type index struct {
	path       string
	file       io.ReaderAt
	photos     []photo // in file order
	byName     map[string]int32
	objects    []annotation // grouped by photo, in file order within one
	first      []int32      // objects[first[i]:first[i+1]] belong to photos[i]
	categories []category   // in file order
	raw        []int64      // category_id of each object by ordinal-1; until classify
	faults     []data.Fault
	moved      map[int32]string // photos whose file name leads out of the folder, as written
	texts      map[string]int64 // ids that are text
}

// category is a class as the file names it.
type category struct {
	id          int64
	name, super string
}

// readIndex scans an instances file once. strip are folders that file names may
// begin with though they lie below them ("images/a.jpg").
func readIndex(path string, strip []string) (*index, error) {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	x, err := scanIndex(f, strip)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	x.path, x.file = path, f
	return x, nil
}

// scanIndex is readIndex on a stream.
func scanIndex(r io.Reader, strip []string) (*index, error) {
	x := &index{moved: map[int32]string{}, texts: map[string]int64{}}
	s := newScanner(r)
	seen := map[string]bool{}
	var ids []int64 // of the annotations that have one
	err := s.begin()
	if err == nil {
		err = s.object(func(key string) error {
			if seen[key] {
				return fmt.Errorf("key %q occurs twice", key)
			}
			seen[key] = true
			switch key {
			case "images":
				return s.array(func() error { return x.scanPhoto(s) })
			case "annotations":
				return s.array(func() error { return x.scanObject(s, &ids) })
			case "categories":
				return s.array(func() error { return x.scanCategory(s) })
			}
			return s.skip()
		})
	}
	if err == nil {
		err = s.done()
	}
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", s.offset(), err)
	}
	for _, key := range []string{"images", "annotations", "categories"} {
		if !seen[key] {
			return nil, fmt.Errorf("lacks the key %q: an instances file is expected", key)
		}
	}
	x.checkIDs(ids)
	x.strip(strip)
	err = x.group()
	x.texts = nil
	return x, err
}

// fault notes something wrong with the file, up to a number.
func (x *index) fault(warning bool, kind, format string, args ...any) {
	switch n := len(x.faults); {
	case n < maxFaults:
		x.faults = append(x.faults, data.Fault{Kind: kind, Message: fmt.Sprintf(format, args...), Warning: warning})
	case n == maxFaults:
		x.faults = append(x.faults, data.Fault{Kind: kind, Message: fmt.Sprintf("and more than %d others", maxFaults), Warning: warning})
	}
}

func (x *index) scanPhoto(s *scanner) error {
	p, hasID, written := photo{}, false, ""
	err := s.object(func(key string) error {
		if none, err := s.null(); none || err != nil {
			return prefix(key, err)
		}
		var err error
		switch key {
		case "id":
			hasID = true
			p.id, err = x.id(s)
		case "file_name":
			written, err = s.text()
		case "width":
			p.w, err = s.side()
		case "height":
			p.h, err = s.side()
		default:
			err = s.skip()
		}
		return prefix(key, err)
	})
	n := len(x.photos) + 1
	switch {
	case err != nil:
		return fmt.Errorf("image %d: %w", n, err)
	case !hasID || written == "":
		return fmt.Errorf("image %d lacks id or file_name", n)
	case n > maxImages:
		return fmt.Errorf("more than %d images", maxImages)
	}
	clean, outside := names.Clean(written)
	p.name = names.TrimExtension(clean)
	if p.name == "" {
		return fmt.Errorf("image %d has the file name %.100q", n, written)
	}
	if outside {
		x.moved[int32(len(x.photos))] = written
	}
	x.photos = append(x.photos, p)
	return nil
}

func (x *index) scanObject(s *scanner, ids *[]int64) error {
	a := annotation{ordinal: uint32(len(x.objects) + 1)}
	var category int64
	var hasImage, hasCategory bool
	err := s.object(func(key string) error {
		if none, err := s.null(); none || err != nil {
			return prefix(key, err)
		}
		var err error
		switch key {
		case "id":
			var id int64
			id, err = x.id(s)
			*ids = append(*ids, id)
		case "image_id":
			hasImage = true
			a.image, err = x.id(s)
		case "category_id":
			hasCategory = true
			category, err = x.id(s)
		case "iscrowd", "ignore":
			var v float64
			v, err = s.number()
			a.crowd = a.crowd || v != 0
		case "bbox":
			err = a.scanBox(s)
		case "segmentation":
			err = a.skipOutline(s)
		default:
			err = s.skip()
		}
		return prefix(key, err)
	})
	switch {
	case err != nil:
		return fmt.Errorf("annotation %d: %w", a.ordinal, err)
	case !hasImage || !hasCategory:
		return fmt.Errorf("annotation %d lacks image_id or category_id", a.ordinal)
	case len(x.objects) == maxAnnotations:
		return fmt.Errorf("more than %d annotations", maxAnnotations)
	}
	x.objects = append(x.objects, a)
	x.raw = append(x.raw, category)
	return nil
}

func (a *annotation) skipOutline(s *scanner) error {
	if _, err := s.token(); err != nil {
		return err
	}
	a.offset = s.offset()
	err := s.skip()
	length := s.offset() - a.offset
	if length > maxSegmentation {
		return fmt.Errorf("%d bytes: at most %d are read", length, maxSegmentation)
	}
	a.length = int32(length)
	return err
}

// scanBox reads a bbox; whether it is of use is decided with the outline and
// the image. An empty list is no box.
func (a *annotation) scanBox(s *scanner) error {
	n := 0
	err := s.array(func() error {
		none, err := s.null()
		v := math.NaN()
		if err == nil && !none {
			v, err = s.number()
		}
		if err == nil && n == 4 {
			err = errors.New("not four pixel numbers")
		}
		if err == nil {
			a.box[n] = float32(v)
			n++
		}
		return err
	})
	if err == nil && n != 4 && n != 0 {
		err = errors.New("not four pixel numbers")
	}
	a.boxed = n == 4
	return err
}

func (x *index) scanCategory(s *scanner) error {
	c, hasID := category{}, false
	err := s.object(func(key string) error {
		if none, err := s.null(); none || err != nil {
			return prefix(key, err)
		}
		var err error
		switch key {
		case "id":
			hasID = true
			c.id, err = x.id(s)
		case "name":
			c.name, err = s.text()
			c.name = strings.TrimSpace(c.name)
		case "supercategory":
			if s.isText() {
				c.super, err = s.text()
			} else {
				err = s.skip()
			}
		default:
			err = s.skip()
		}
		return prefix(key, err)
	})
	n := len(x.categories) + 1
	if err == nil && (!hasID || c.name == "") {
		err = errors.New("lacks id or name")
	}
	if err == nil && n > 1<<16 {
		err = errors.New("more than 65536 of them")
	}
	x.categories = append(x.categories, c)
	return prefix(fmt.Sprintf("category %d", n), err)
}

// id reads an id: a number, with or without fraction zeros, or a text, which
// becomes a number of its own. A text of digits is the number.
func (x *index) id(s *scanner) (int64, error) {
	if s.isText() {
		t, err := s.text()
		if err != nil {
			return 0, err
		}
		if n, ok := wholeID(t, true); ok {
			return n, nil
		}
		return x.intern(t), nil
	}
	raw, err := s.literal()
	if err != nil {
		return 0, err
	}
	if n, ok := wholeID(string(raw), false); ok {
		return n, nil
	}
	if len(raw) > 0 && strings.Trim(string(raw), "0123456789") == "" {
		return x.intern(string(raw)), nil // longer than any integer type
	}
	return 0, fmt.Errorf("%q is no id: allowed are whole numbers and text", raw)
}

// intern numbers the ids that are text, far from those of real numbers.
func (x *index) intern(t string) int64 {
	n, ok := x.texts[t]
	if !ok {
		n = math.MinInt64 + int64(len(x.texts))
		x.texts[t] = n
	}
	return n
}

func (s *scanner) side() (int32, error) {
	n, err := s.whole()
	if err == nil && (n < 0 || n > 1<<20) {
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

// checkIDs notes annotation ids that occur twice.
func (x *index) checkIDs(ids []int64) {
	slices.Sort(ids)
	for i := 1; i < len(ids) && len(x.faults) <= maxFaults; i++ {
		if ids[i] == ids[i-1] && (i == 1 || ids[i-2] != ids[i]) {
			x.fault(false, "duplicate-id", "annotation id %s occurs twice: other tools keep one of the two", x.idText(ids[i]))
		}
	}
}

// idText is an id as the file writes it.
func (x *index) idText(id int64) string {
	for t, n := range x.texts {
		if n == id {
			return fmt.Sprintf("%.60q", t)
		}
	}
	return fmt.Sprint(id)
}

// strip takes the name of the folder of images off the photos' names, where
// they stay different then.
func (x *index) strip(folders []string) {
	short := make(map[string]bool, len(x.photos))
	cut := func(name string) string {
		for _, folder := range folders {
			if rest, ok := strings.CutPrefix(name, folder+"/"); ok && rest != "" {
				return rest
			}
		}
		return name
	}
	for _, p := range x.photos {
		name := cut(p.name)
		if short[name] {
			return
		}
		short[name] = true
	}
	for i := range x.photos {
		x.photos[i].name = cut(x.photos[i].name)
	}
}

// group sorts the objects by image and builds the look-up by name.
func (x *index) group() error {
	number := make(map[int64]int32, len(x.photos))
	x.byName = make(map[string]int32, len(x.photos))
	for i, p := range x.photos {
		if _, dup := number[p.id]; dup {
			return fmt.Errorf("image id %s occurs twice", x.idText(p.id))
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
			return fmt.Errorf("annotation %d is of image %s, which is not among the images", a.ordinal, x.idText(a.image))
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
