// Package annotation is the registry of the files that labelling tools write:
// one file per format registers a reader and, where it makes sense, a writer,
// around one type for what they say. Package folder opens any of them as a
// dataset; `wsss data convert` turns one into another.
//
// Coordinates are pixel edges, as COCO counts them: (0, 0) is the upper left
// corner of the upper left pixel, and a box covers the pixels x with
// x0 <= x < x1. Label values are those of package data: 0 is background.
package annotation

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/coco"
)

// Set is what the annotations of a folder say, whatever format they are in.
type Set struct {
	Format  string         // the format's name in the registry
	Files   []string       // what was read
	Classes data.Classes   // background first, then in the order of the files
	Images  []*Image       // ascending by ID
	Skipped []string       // images that the files name but the folder lacks, at most mostSkipped
	Lost    int            // how many those are
	Faults  []data.Fault   // what is odd in the files though they can be read, at most mostFaults
	Other   map[string]int // labels of classes outside the pinned table, which are left out, by name
	has     forms          // of any image
	splits  map[string]string
	src     *Source
}

// Image is one annotated photo.
type Image struct {
	ID    string // the sample's id: its path below the image folder, without extension
	W, H  int    // pixels; 0 where the files do not say
	Split string // "train", "val", "test", or "" where the files do not say
	From  string // file and item, for errors
	Labels
}

// Has tells whether any label of the image is of a class.
func (l *Labels) Has(class int) bool {
	return slices.Contains(l.Tags, class) ||
		slices.ContainsFunc(l.Objects, func(o Object) bool { return o.Class == class }) ||
		slices.ContainsFunc(l.Points, func(p data.Point) bool { return p.Class == class }) ||
		slices.ContainsFunc(l.Scribbles, func(s data.Scribble) bool { return s.Class == class })
}

// Labels are an image's annotations. Classes are label values.
type Labels struct {
	Tags      []int // beside the classes of the objects
	Objects   []Object
	Points    []data.Point
	Scribbles []data.Scribble
}

// Object is one thing in a photo: a box, and an outline where somebody drew it.
type Object struct {
	data.Box
	Rings [][]float64 // x0, y0, x1, y1, …: closed lines, whose union is the object
	Mask  *data.RLE   // or its pixels
	Z     int         // objects of higher Z lie on top; of equal Z, later ones
}

// Outlined tells whether the object has an outline, beside its box.
func (o *Object) Outlined() bool { return len(o.Rings) > 0 || o.Mask != nil }

// maxCoordinate bounds coordinates: far beyond any image that is read.
const maxCoordinate = 1 << 20

// AddBox adds an object without an outline. Corners may come in any order.
func (l *Labels) AddBox(class int, x0, y0, x1, y1 float64) error {
	box, err := newBox(class, x0, y0, x1, y1)
	if err == nil {
		l.Objects = append(l.Objects, Object{Box: box})
	}
	return err
}

// errFlat is the error of a box without an area, as a click that was no drag leaves it.
var errFlat = errors.New("covers nothing")

func newBox(class int, x0, y0, x1, y1 float64) (data.Box, error) {
	for _, v := range []float64{x0, y0, x1, y1} {
		if !(math.Abs(v) <= maxCoordinate) {
			return data.Box{}, fmt.Errorf("box edge %v: allowed are pixels up to ±%d", v, maxCoordinate)
		}
	}
	x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
	if float32(x0) == float32(x1) || float32(y0) == float32(y1) {
		return data.Box{}, fmt.Errorf("box (%v, %v)-(%v, %v) %w", x0, y0, x1, y1, errFlat)
	}
	return data.Box{X0: float32(x0), Y0: float32(y0), X1: float32(x1), Y1: float32(y1), Class: class}, nil
}

// AddPolygon adds an object by its outline: one or more closed lines.
func (l *Labels) AddPolygon(class int, rings ...[]float64) error {
	for _, ring := range rings {
		if len(ring) < 6 || len(ring)%2 != 0 {
			return fmt.Errorf("polygon of %d numbers: at least three points are needed", len(ring))
		}
	}
	x0, y0, x1, y1 := bounds(rings...)
	box, err := newBox(class, x0, y0, x1, y1)
	if err != nil {
		return fmt.Errorf("polygon: %w", err)
	}
	l.Objects = append(l.Objects, Object{Box: box, Rings: rings})
	return nil
}

// bounds are those of lines x0, y0, x1, y1, …
func bounds(lines ...[]float64) (x0, y0, x1, y1 float64) {
	x0, y0, x1, y1 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, xy := range lines {
		for i := 0; i < len(xy); i += 2 {
			x0, x1 = min(x0, xy[i]), max(x1, xy[i])
			y0, y1 = min(y0, xy[i+1]), max(y1, xy[i+1])
		}
	}
	return x0, y0, x1, y1
}

// errEmptyMask is the error of a mask that covers no pixel of its photo.
var errEmptyMask = errors.New("mask covers no pixel of the photo")

// AddMask adds an object by its pixels.
func (l *Labels) AddMask(class int, mask data.RLE) error {
	b := mask.Bounds()
	if b.Empty() {
		return errEmptyMask
	}
	l.Objects = append(l.Objects, Object{Mask: &mask, Box: data.Box{
		X0: float32(b.Min.X), Y0: float32(b.Min.Y), X1: float32(b.Max.X), Y1: float32(b.Max.Y), Class: class,
	}})
	return nil
}

// AddPoint adds a click.
func (l *Labels) AddPoint(class int, x, y float64) error {
	p, err := pixel(x, y)
	if err == nil {
		l.Points = append(l.Points, data.Point{X: p.X, Y: p.Y, Class: class})
	}
	return err
}

// AddLine adds a scribble: an open line x0, y0, x1, y1, ….
func (l *Labels) AddLine(class int, xy []float64) error {
	if len(xy) < 2 || len(xy)%2 != 0 {
		return fmt.Errorf("line of %d numbers: at least one point is needed", len(xy))
	}
	s := data.Scribble{Class: class}
	for i := 0; i < len(xy); i += 2 {
		p, err := pixel(xy[i], xy[i+1])
		if err != nil {
			return err
		}
		s.Points = append(s.Points, p)
	}
	l.Scribbles = append(l.Scribbles, s)
	return nil
}

func pixel(x, y float64) (image.Point, error) {
	if !(math.Abs(x) <= maxCoordinate && math.Abs(y) <= maxCoordinate) {
		return image.Point{}, fmt.Errorf("point (%v, %v): allowed are pixels up to %d", x, y, maxCoordinate)
	}
	return image.Pt(int(math.Floor(x)), int(math.Floor(y))), nil
}

// LeftOut says which points and scribbles of an image of w×h pixels Weak leaves
// out, as they lie outside of it.
func (s *Set) LeftOut(im *Image, w, h int) []data.Fault {
	var faults []data.Fault
	inside := func(p image.Point) bool {
		_, ok := onImage(p, w, h)
		return ok
	}
	add := func(kind, format string, args ...any) {
		faults = append(faults, data.Fault{Kind: kind, Message: im.From + ": " + fmt.Sprintf(format, args...)})
	}
	for i, p := range im.Points {
		if !inside(image.Pt(p.X, p.Y)) {
			add("point-outside", "point %d (%s) at (%d,%d) is outside the %d×%d image: it is left out", i+1, s.Classes.Name(p.Class), p.X, p.Y, w, h)
		}
	}
	for i, line := range im.Scribbles {
		if !slices.ContainsFunc(line.Points, inside) {
			add("scribble-outside", "scribble %d (%s) is outside the %d×%d image: it is left out", i+1, s.Classes.Name(line.Class), w, h)
		}
	}
	return faults
}

// Weak are the labels as weak supervision takes them: clipped to the image of
// w×h pixels, forms that the set lacks nil. Boxes of outlined objects are those
// of their outlines. A box that lies outside the image stays as it is: what is
// in it would pass for background, so data.WeakLabels.CheckBoxes names it.
func (s *Set) Weak(im *Image, w, h int) data.WeakLabels {
	forms := s.has
	var out data.WeakLabels
	tags := slices.Clone(im.Tags)
	if forms.boxes {
		out.Boxes = []data.Box{}
	}
	for i := range im.Objects {
		b := im.Objects[i].Box
		if b.Class == 0 || b.Class == data.Ignore {
			continue
		}
		if !b.Outside(image.Pt(w, h)) {
			b.X0, b.Y0 = max(b.X0, 0), max(b.Y0, 0)
			b.X1, b.Y1 = min(b.X1, float32(w)), min(b.Y1, float32(h))
		}
		if tags = append(tags, b.Class); forms.boxes {
			out.Boxes = append(out.Boxes, b)
		}
	}
	if forms.points {
		out.Points = []data.Point{}
	}
	for _, p := range im.Points {
		if at, ok := onImage(image.Pt(p.X, p.Y), w, h); ok && p.Class != data.Ignore {
			p.X, p.Y = at.X, at.Y
			out.Points = append(out.Points, p)
			tags = append(tags, p.Class)
		}
	}
	if forms.scribbles {
		out.Scribbles = []data.Scribble{}
	}
	for _, line := range im.Scribbles {
		var kept []image.Point
		for _, p := range line.Points {
			if p, ok := onImage(p, w, h); ok {
				kept = append(kept, p)
			}
		}
		if len(kept) > 0 && line.Class != data.Ignore {
			out.Scribbles = append(out.Scribbles, data.Scribble{Class: line.Class, Points: kept})
			tags = append(tags, line.Class)
		}
	}
	slices.Sort(tags)
	tags = slices.DeleteFunc(slices.Compact(tags), func(c int) bool { return c == 0 })
	out.Tags = append([]int{}, tags...)
	return out
}

// onImage is the pixel of an image of w×h pixels that a click means, false where it is
// outside: one on the far edge means the last pixel.
func onImage(p image.Point, w, h int) (image.Point, bool) {
	if p.X == w {
		p.X--
	}
	if p.Y == h {
		p.Y--
	}
	return p, p.In(image.Rect(0, 0, w, h))
}

type forms struct{ boxes, points, scribbles, outlines bool }

// Outlined tells whether any image has an object with an outline.
func (s *Set) Outlined() bool { return s.has.outlines }

// findForms notes which forms of labels any image has.
func (s *Set) findForms() {
	f := &s.has
	for _, im := range s.Images {
		f.points = f.points || len(im.Points) > 0
		f.scribbles = f.scribbles || len(im.Scribbles) > 0
		f.boxes = f.boxes || len(im.Objects) > 0
		f.outlines = f.outlines || slices.ContainsFunc(im.Objects, func(o Object) bool { return o.Outlined() })
	}
}

// Truth paints the outlines of an image on w×h pixels, by Z and then in the
// order of the file. The error wraps data.ErrNoTruth where an object has only
// a box, and where no image of the set has an outline.
func (s *Set) Truth(im *Image, w, h int) (*data.LabelMap, error) {
	if err := s.CheckTruth(im); err != nil {
		return nil, err
	}
	m := data.NewLabelMap(w, h)
	order := slices.Clone(im.Objects)
	slices.SortStableFunc(order, func(a, b Object) int { return a.Z - b.Z })
	for i := range order {
		o := &order[i]
		if o.Crowd {
			continue // a group that nobody took apart, as in COCO's masks
		}
		masks, err := o.Masks(w, h)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", im.From, s.Classes.Name(o.Class), err)
		}
		for _, mask := range masks {
			mask.Each(func(x, y0, y1 int) {
				for y := y0; y < y1; y++ {
					m.Set(x, y, uint8(o.Class))
				}
			})
		}
	}
	return m, nil
}

// CheckTruth is the error of Truth for an image that lacks outlines, without
// painting them.
func (s *Set) CheckTruth(im *Image) error {
	if !s.has.outlines || len(im.Objects) == 0 && len(im.Points)+len(im.Scribbles)+len(im.Tags) > 0 {
		return fmt.Errorf("%s: %w: nothing is outlined", im.From, data.ErrNoTruth)
	}
	for i := range im.Objects {
		if o := &im.Objects[i]; !o.Crowd && !o.Outlined() {
			return fmt.Errorf("%s: %w: a box of %s has no outline", im.From, data.ErrNoTruth, s.Classes.Name(o.Class))
		}
	}
	return nil
}

// Masks are the pixels of an object, whose union it is. Outlines are filled by
// COCO's rule.
func (o *Object) Masks(w, h int) ([]data.RLE, error) {
	if o.Mask != nil {
		if o.Mask.W != w || o.Mask.H != h {
			return nil, fmt.Errorf("mask of %d×%d pixels on a photo of %d×%d", o.Mask.W, o.Mask.H, w, h)
		}
		return []data.RLE{*o.Mask}, nil
	}
	var masks []data.RLE
	for _, ring := range o.Rings {
		mask, err := coco.FillPolygon(ring, w, h)
		if err != nil {
			return nil, err
		}
		masks = append(masks, mask)
	}
	return masks, nil
}

// isVoid tells names of what belongs to no class.
func isVoid(name string) bool {
	return slices.Contains([]string{"__ignore__", "_ignore_", "void"}, strings.ToLower(name))
}

// SplitOf is the split of a photo, annotated or not: as the files say, else by
// the folders of its path; "" for none.
func (s *Set) SplitOf(id string) string {
	if split, ok := s.splits[id]; ok {
		return split
	}
	if s.src == nil {
		return ""
	}
	return s.src.splitOf(id)
}

// Image is the image of an id; nil where nothing is said of it.
func (s *Set) Image(id string) *Image {
	i, found := slices.BinarySearchFunc(s.Images, id, func(im *Image, id string) int { return strings.Compare(im.ID, id) })
	if !found {
		return nil
	}
	return s.Images[i]
}

// NewSet makes a set of images that are there already, ascending by ID.
func NewSet(classes data.Classes, images []*Image) *Set {
	s := &Set{Classes: classes, Images: images}
	s.findForms()
	return s
}
