// Package data holds what every stage of wsss reads and writes: label maps,
// weak labels, masks as run-length codes, and the Dataset interface with its
// registry. One sub-package per dataset (voc, coco, folder, scenes) registers
// itself; importing wsss/data/all brings them all in.
package data

import (
	"fmt"
	"image"
	"slices"
	"strings"
)

// Ignore is the label value that takes part in neither loss nor evaluation:
// VOC's void border, padding, and pixels a pseudo-label leaves undecided
// (docs/sources.md §9, §10).
const Ignore = 255

// MaxClasses is the number of classes an 8-bit label map can hold beside
// Ignore, background included.
const MaxClasses = 255

// Classes names the classes of a dataset. Names[0] is always the background.
type Classes struct {
	Names []string
}

// Len is the number of classes, background included (21 for VOC, 81 for COCO).
func (c Classes) Len() int { return len(c.Names) }

// Index returns the label value of the class with this name, or -1.
func (c Classes) Index(name string) int {
	for i, n := range c.Names {
		if n == name {
			return i
		}
	}
	return -1
}

// Find is Index, and where no name is equal the one class whose name differs in
// case and outer spaces alone.
func (c Classes) Find(name string) int {
	if i := c.Index(name); i >= 0 {
		return i
	}
	found := -1
	for i, n := range c.Names {
		if strings.EqualFold(n, strings.TrimSpace(name)) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// Name returns the name of label value i: "void" for Ignore, "class i" outside
// the table.
func (c Classes) Name(i int) string {
	switch {
	case i == Ignore:
		return "void"
	case i >= 0 && i < len(c.Names):
		return c.Names[i]
	}
	return fmt.Sprintf("class %d", i)
}

// LabelMap is a dense map of class indices, row-major, one byte per pixel:
// 0 is background, Ignore (255) is void.
type LabelMap struct {
	W, H int
	Pix  []uint8 // len W*H; pixel (x, y) is Pix[y*W+x]
}

// NewLabelMap returns a map of w×h background pixels.
func NewLabelMap(w, h int) *LabelMap {
	return &LabelMap{W: w, H: h, Pix: make([]uint8, w*h)}
}

// At returns the label of pixel (x, y), which must lie inside the map.
func (m *LabelMap) At(x, y int) uint8 { return m.Pix[y*m.W+x] }

// Set writes the label of pixel (x, y), which must lie inside the map.
func (m *LabelMap) Set(x, y int, v uint8) { m.Pix[y*m.W+x] = v }

// Size is the map's width and height.
func (m *LabelMap) Size() image.Point { return image.Pt(m.W, m.H) }

// Clone returns a copy that shares no memory with m.
func (m *LabelMap) Clone() *LabelMap {
	return &LabelMap{W: m.W, H: m.H, Pix: append([]uint8(nil), m.Pix...)}
}

// Present returns which label values occur, Ignore included.
func (m *LabelMap) Present() (seen [256]bool) {
	for _, v := range m.Pix {
		seen[v] = true
	}
	return seen
}

// Objects lists the label values that occur, ascending, without background and Ignore.
func Objects(seen [256]bool) []int {
	list := []int{}
	for v := 1; v < Ignore; v++ {
		if seen[v] {
			list = append(list, v)
		}
	}
	return list
}

// CheckRange returns an error that names the first pixel whose value is
// neither a class below numClasses nor Ignore. The host-side check saves a
// training run from a silent out-of-range gather.
func (m *LabelMap) CheckRange(numClasses int) error {
	for i, v := range m.Pix {
		if int(v) >= numClasses && v != Ignore {
			return fmt.Errorf("pixel (%d,%d) has value %d: allowed are 0..%d and %d (void)",
				i%m.W, i/m.W, v, numClasses-1, Ignore)
		}
	}
	return nil
}

// WeakKind names a form of weak supervision.
type WeakKind string

// The forms of weak supervision, cheapest first.
const (
	WeakNone      WeakKind = "none"
	WeakTags      WeakKind = "tags"
	WeakPoints    WeakKind = "points"
	WeakScribbles WeakKind = "scribbles"
	WeakBoxes     WeakKind = "boxes"
	// WeakExemplars is boxes on a few images, by which objects of their classes
	// are found on all.
	WeakExemplars WeakKind = "exemplars"
)

// WeakKinds lists the forms of labels that images have, cheapest first.
var WeakKinds = []WeakKind{WeakNone, WeakTags, WeakPoints, WeakScribbles, WeakBoxes}

// Labels is the form of the labels that it is read from: exemplars are boxes.
func (k WeakKind) Labels() WeakKind {
	if k == WeakExemplars {
		return WeakBoxes
	}
	return k
}

// Supervisions lists what a method can work from: WeakKinds, and WeakExemplars.
var Supervisions = append(slices.Clone(WeakKinds), WeakExemplars)

// Point is one labelled pixel. Class 0 is a background click.
type Point struct {
	X, Y  int // zero-based pixel
	Class int
	Rank  int // the annotator's N-th click; 0 where unknown
}

// Scribble is an open polyline of one class. Class 0 is background.
type Scribble struct {
	Class  int
	Points []image.Point // zero-based pixels, inside the image
}

// Box is an axis-aligned box in edge coordinates: it covers the pixels x with
// X0 <= x < X1, y likewise. A VOC bndbox (1-based, inclusive) becomes
// {xmin-1, ymin-1, xmax, ymax} (docs/sources.md §9).
type Box struct {
	X0, Y0, X1, Y1 float32
	Class          int
	Difficult      bool // VOC: hard to recognise
	Crowd          bool // COCO: iscrowd, a group of objects
}

// Rect is the smallest pixel rectangle that covers the box.
func (b Box) Rect() image.Rectangle {
	ceil := func(f float32) int {
		i := int(f)
		if float32(i) < f {
			i++
		}
		return i
	}
	floor := func(f float32) int {
		i := int(f)
		if float32(i) > f {
			i--
		}
		return i
	}
	return image.Rect(floor(b.X0), floor(b.Y0), ceil(b.X1), ceil(b.Y1))
}

// Outside tells whether a box covers nothing of an image.
func (b Box) Outside(size image.Point) bool {
	return !(b.X0 < float32(size.X) && b.Y0 < float32(size.Y) && b.X1 > 0 && b.Y1 > 0)
}

// CheckBoxes returns an error that names the first box that covers nothing of
// an image: what is in it would pass for background.
func (w *WeakLabels) CheckBoxes(size image.Point, classes Classes) error {
	for i, b := range w.Boxes {
		if b.Outside(size) {
			return fmt.Errorf("box %d (%s) (%v,%v)-(%v,%v) lies outside the image of %d×%d", i+1, classes.Name(b.Class), b.X0, b.Y0, b.X1, b.Y1, size.X, size.Y)
		}
	}
	return nil
}

// WeakLabels are an image's cheap labels. A nil slice means that the form is
// not available for this image; an empty, non-nil slice that it holds nothing.
type WeakLabels struct {
	Tags      []int // class indices 1.., ascending, unique
	Points    []Point
	Scribbles []Scribble
	Boxes     []Box
}

// Has tells whether labels of a form are there, be it as the word that the image
// holds nothing. Every image has WeakNone, and what WeakExemplars asks of it.
func (w WeakLabels) Has(kind WeakKind) bool {
	switch kind {
	case WeakTags:
		return w.Tags != nil
	case WeakPoints:
		return w.Points != nil
	case WeakScribbles:
		return w.Scribbles != nil
	case WeakBoxes:
		return w.Boxes != nil
	}
	return true
}

// Sample is one image with whatever labels were asked for.
type Sample struct {
	ID    string
	Image *image.NRGBA // nil unless asked for
	Weak  WeakLabels
	Truth *LabelMap // nil where the split has no masks, or unless asked for
}
