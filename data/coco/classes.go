package coco

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/maskcode"
)

// ClassNames are COCO's eighty classes in the order of their category ids
// (1..90 with gaps), label values 1..80 (docs/sources.md §9).
var ClassNames = []string{
	"person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
	"fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
	"elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
	"skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
	"wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
	"broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed",
	"dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
	"toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
}

// unused are the category ids below 90 that COCO leaves out.
var unused = []int64{12, 26, 29, 30, 45, 66, 68, 69, 71, 83}

// cocoID is the category id of each of COCO's classes.
var cocoID = func() map[string]int64 {
	ids := make(map[string]int64, len(ClassNames))
	id := int64(0)
	for _, name := range ClassNames {
		for id++; slices.Contains(unused, id); id++ {
		}
		ids[name] = id
	}
	return ids
}()

// areCOCO tells whether categories are COCO's own, or some of them.
func areCOCO(categories []category) bool {
	for _, c := range categories {
		if id, ok := cocoID[c.name]; !ok || id != c.id {
			return false
		}
	}
	return len(categories) > 0
}

// ownClasses are the classes of data with categories of its own: background
// first, then the names in the order of the files. A category that only groups
// others, as Roboflow writes one, is none.
func ownClasses(parts []*index) ([]string, error) {
	names := []string{"background"}
	for _, x := range parts {
		used, group := map[int64]bool{}, map[string]bool{}
		for _, id := range x.raw {
			used[id] = true
		}
		for _, c := range x.categories {
			group[c.super] = true
		}
		for _, c := range x.categories {
			onlyGroup := !used[c.id] && group[c.name] && c.super != c.name
			if !onlyGroup && !maskcode.IsBackground(c.name) && !slices.Contains(names, c.name) {
				names = append(names, c.name)
			}
		}
	}
	switch n := len(names) - 1; {
	case n == 0:
		return nil, fmt.Errorf("the annotation files name no category: list the classes in data.options.classes")
	case n >= data.MaxClasses:
		return nil, fmt.Errorf("the annotation files name %d categories: at most %d are allowed; list fewer in data.options.classes", n, data.MaxClasses-1)
	}
	return names, nil
}

// Others is what becomes of objects of a category that is not among the classes.
type Others string

// What becomes of them.
const (
	OthersError Others = "error" // nothing is read, and the error names one
	OthersSkip  Others = "skip"  // they are background, and no label of the photo
)

// classify turns category ids into label values by name. Names that differ in
// case alone are equal where no other class is meant. An object of a category
// that is not among the classes is an error, or left out if skip.
func (x *index) classify(classes data.Classes, skip bool) error {
	label, name := make(map[int64]uint8, len(x.categories)), make(map[int64]string, len(x.categories))
	for _, c := range x.categories {
		if first, dup := name[c.id]; dup && first != c.name {
			return fmt.Errorf("category id %d is %q and %q", c.id, first, c.name)
		}
		name[c.id] = c.name
		if l := classes.Find(c.name); l > 0 {
			label[c.id] = uint8(l)
		} else if l == 0 || maskcode.IsBackground(c.name) {
			label[c.id] = 0
		}
	}
	kept := 0
	for photo := range len(x.first) - 1 {
		from, to := x.first[photo], x.first[photo+1]
		x.first[photo] = int32(kept)
		for _, a := range x.objects[from:to] {
			id := x.raw[a.ordinal-1]
			c, ok := label[id]
			n, known := name[id]
			switch {
			case ok:
				a.class = c
				x.objects[kept] = a
				kept++
			case known && skip:
			case known:
				return fmt.Errorf("annotation %d has category %d (%q), which is not among the %d classes: list them in data.options.classes, or set data.options.others = \"skip\"",
					a.ordinal, id, n, classes.Len()-1)
			default:
				return fmt.Errorf("annotation %d has category_id %d, which is not among the %d categories of the file", a.ordinal, id, len(x.categories))
			}
		}
	}
	if n := len(x.first); n > 0 {
		x.first[n-1] = int32(kept)
	}
	x.objects, x.raw = x.objects[:kept], nil
	return nil
}

// peeked is how much of a large file's start and end is looked at.
const peeked = 1 << 18

// peekCategories reads the categories of a large file from its start or end,
// where tools write them, without reading the file; nil where they are not
// found. They are checked when the file is read.
func peekCategories(path string) []category {
	f, size, err := files.OpenRegular(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for _, at := range []int64{max(size-peeked, 0), 0} {
		raw := make([]byte, min(peeked, size))
		if _, err := f.ReadAt(raw, at); err != nil {
			return nil
		}
		key := bytes.LastIndex(raw, []byte(`"categories"`))
		if key < 0 {
			continue
		}
		x := &index{texts: map[string]int64{}}
		s := newScanner(strings.NewReader(string(raw[key+len(`"categories"`):])))
		if s.expect(':') == nil && s.array(func() error { return x.scanCategory(s) }) == nil {
			return x.categories
		}
	}
	return nil
}
