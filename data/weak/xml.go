package weak

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"wsss/data"
	"wsss/data/text"
)

// Annotation is what a VOC detection XML says about an image.
type Annotation struct {
	W, H    int // 0 where the file gives no size
	Tags    []int
	Boxes   []data.Box // nil where the file has objects and none of them a box
	Other   []string   // names of objects outside the class table, which are skipped; unique
	Boxless []string   // objects without a box, where none has one: their names are tags
	Notes   []string   // what was mended
	objects []string   // of each box, for errors
}

// mostOther bounds Annotation.Other, and mostNotes the others.
const (
	mostOther = 20
	mostNotes = 100
)

// ReadVOCXML reads a VOC detection XML (docs/sources.md §9) in any encoding.
// Tags are all classes that a name inside an object carries, part names
// included, as IRN does; boxes are those of the objects themselves, difficult
// ones flagged, or the extents of their polygons or turned boxes (roLabelImg's
// robndbox: centre, sides and radians in pixel edges; DIOR-R's: corners). Names
// outside the class table are skipped. Corners may come in any order. Boxes are
// clipped to the image, where the file gives its size; one that is empty then is
// an error, and so are an object without a name, a part of a box, and an object
// without a box beside others that have one.
func ReadVOCXML(path string, classes data.Classes) (*Annotation, error) {
	return parseFile(path, maxXML, func(r io.Reader) (*Annotation, error) { return ParseVOCXML(r, classes) })
}

// ParseVOCXML is ReadVOCXML on a stream.
func ParseVOCXML(r io.Reader, classes data.Classes) (*Annotation, error) {
	a := &Annotation{Boxes: []data.Box{}}
	var object vocObject
	number := 0
	err := walkXML(r, func(path, text string) error {
		_, path, _ = strings.Cut(strings.ToLower(path), "/") // whatever the root is called
		var err error
		switch path {
		case "size/width":
			a.W, err = parseSize(text)
		case "size/height":
			a.H, err = parseSize(text)
		case "object/name":
			object.name = text
		case "object/difficult":
			object.difficult = isTrue(text)
		case "object":
			number++
			err = a.add(object, number, classes)
			object = vocObject{}
		default:
			err = object.read(path, text)
		}
		if strings.HasPrefix(path, "object/") && strings.HasSuffix(path, "/name") {
			if c := classes.Find(text); c > 0 {
				a.Tags = append(a.Tags, c)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.Tags = sortedUnique(a.Tags)
	if len(a.Boxless) > 0 {
		if len(a.Boxes) > 0 {
			return nil, errors.New(a.Boxless[0])
		}
		a.Boxes = nil
	}
	return a, a.Clip(a.W, a.H)
}

func isTrue(text string) bool {
	yes, err := strconv.ParseBool(text)
	v, numErr := strconv.ParseFloat(text, 64)
	return err == nil && yes || numErr == nil && v != 0
}

// vocObject gathers one object element; its box and corners are 1-based and
// inclusive.
type vocObject struct {
	name      string
	difficult bool
	box       numbers    // sideNames
	turned    numbers    // turnedNames
	polygon   [4]float64 // the extent of the corners
	corners   [2]int     // how many x and y have been read
}

var (
	sideNames   = []string{"xmin", "ymin", "xmax", "ymax"}
	turnedNames = []string{"cx", "cy", "w", "h", "angle"}
)

// numbers are what elements of given names hold.
type numbers struct {
	value [5]float64
	read  uint8 // which of them have been read, as bits
}

// take reads an element, if it has one of the names.
func (n *numbers) take(names []string, name, text string) error {
	i := slices.Index(names, name)
	if i < 0 || text == "" {
		return nil
	}
	v, err := parseCoordinate(text)
	n.value[i] = v
	n.read |= 1 << i
	return err
}

// lacks is the first of the names that has not been read, "" for none.
func (n *numbers) lacks(names []string) string {
	for i, name := range names {
		if n.read&(1<<i) == 0 {
			return name
		}
	}
	return ""
}

// read takes an element inside an object: a side of its box, a number of its
// turned box, or a coordinate of its polygon (x1, y1, x2, … or points of x and y)
// or of its turned box (x_left_top, y_left_top, …).
func (o *vocObject) read(path, text string) error {
	if name, ok := strings.CutPrefix(path, "object/bndbox/"); ok {
		return o.box.take(sideNames, name, text)
	}
	if name, ok := strings.CutPrefix(path, "object/robndbox/"); ok {
		if strings.HasPrefix(name, "x_") || strings.HasPrefix(name, "y_") {
			return o.corner(name[:1], text)
		}
		return o.turned.take(turnedNames, name, text)
	}
	if rest, ok := strings.CutPrefix(path, "object/polygon/"); ok {
		name := rest[strings.LastIndex(rest, "/")+1:]
		return o.corner(strings.TrimRight(name, "0123456789"), text)
	}
	return nil
}

// corner takes a coordinate of a corner, if it is of an axis.
func (o *vocObject) corner(axisName, text string) error {
	axis := slices.Index([]string{"x", "y"}, axisName)
	if axis < 0 || text == "" {
		return nil
	}
	v, err := parseCoordinate(text)
	if err != nil {
		return err
	}
	if o.corners[axis]++; o.corners[axis] == 1 {
		o.polygon[axis], o.polygon[axis+2] = v, v
	}
	o.polygon[axis], o.polygon[axis+2] = min(o.polygon[axis], v), max(o.polygon[axis+2], v)
	return nil
}

func parseCoordinate(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(v) > 1<<24 || math.IsNaN(v) {
		return 0, fmt.Errorf("box coordinate %.40q is not a pixel", text)
	}
	return v, nil
}

// add takes a finished object.
func (a *Annotation) add(o vocObject, number int, classes data.Classes) error {
	if o.name == "" {
		return fmt.Errorf("object %d has no name", number)
	}
	what := fmt.Sprintf("object %d (%.60q)", number, o.name)
	class := classes.Find(o.name)
	if class <= 0 {
		if class < 0 && len(a.Other) < mostOther && !slices.Contains(a.Other, o.name) {
			a.Other = append(a.Other, o.name)
		}
		return nil
	}
	e := [4]float64(o.box.value[:4])
	switch {
	case o.box.lacks(sideNames) == "":
		if e[0] > e[2] || e[1] > e[3] {
			a.note("%s: bndbox (%v,%v)-(%v,%v) has its corners swapped: they are put in order", what, e[0], e[1], e[2], e[3])
			e = [4]float64{min(e[0], e[2]), min(e[1], e[3]), max(e[0], e[2]), max(e[1], e[3])}
		}
	case o.corners[0] > 0 && o.corners[1] > 0:
		e = o.polygon
	case o.turned.lacks(turnedNames) == "":
		t := o.turned.value
		e[0], e[1], e[2], e[3] = data.TurnedBounds(t[0], t[1], t[2], t[3], t[4])
		e[0], e[1] = e[0]+1, e[1]+1 // its edges are not those of pixels from 1 on
	case o.box.read != 0:
		return fmt.Errorf("%s: bndbox lacks %s", what, o.box.lacks(sideNames))
	case o.turned.read != 0:
		return fmt.Errorf("%s: robndbox lacks %s", what, o.turned.lacks(turnedNames))
	default:
		if len(a.Boxless) < mostNotes {
			a.Boxless = append(a.Boxless, what+" has no bndbox, and no polygon to take one from")
		}
		return nil
	}
	a.objects = append(a.objects, what)
	a.Boxes = append(a.Boxes, data.Box{
		X0: float32(e[0] - 1), Y0: float32(e[1] - 1), X1: float32(e[2]), Y1: float32(e[3]),
		Class: class, Difficult: o.difficult,
	})
	return nil
}

func (a *Annotation) note(format string, args ...any) {
	if len(a.Notes) < mostNotes {
		a.Notes = append(a.Notes, fmt.Sprintf(format, args...))
	}
}

// Faults tells of the objects without a box and of what was mended in the file.
func (a *Annotation) Faults(path string) []data.Fault {
	var faults []data.Fault
	add := func(kind string, notes []string) {
		for _, note := range notes {
			faults = append(faults, data.Fault{Kind: kind, Warning: true, Message: path + ": " + note})
		}
	}
	add("box-missing", a.Boxless)
	add("box-clipped", a.Notes)
	return faults
}

// Clip takes off what lies outside an image of w×h; 0 is no bound. A box that
// covers nothing then is an error.
func (a *Annotation) Clip(w, h int) error {
	const slack = 1 // real annotations round at the border
	for i := range a.Boxes {
		b := &a.Boxes[i]
		whole := *b
		b.X0, b.Y0 = max(b.X0, 0), max(b.Y0, 0)
		if w > 0 {
			b.X1 = min(b.X1, float32(w))
		}
		if h > 0 {
			b.Y1 = min(b.Y1, float32(h))
		}
		size := "the image"
		if w > 0 && h > 0 {
			size = fmt.Sprintf("the image of %d×%d", w, h)
		}
		if b.X0 >= b.X1 || b.Y0 >= b.Y1 {
			return fmt.Errorf("%s: its box (%v,%v)-(%v,%v) covers no pixel of %s", a.objects[i], whole.X0, whole.Y0, whole.X1, whole.Y1, size)
		}
		if whole.X0 < -slack || whole.Y0 < -slack || whole.X1 > b.X1+slack || whole.Y1 > b.Y1+slack {
			a.note("%s: its box (%v,%v)-(%v,%v) reaches out of %s: it is clipped", a.objects[i], whole.X0, whole.Y0, whole.X1, whole.Y1, size)
		}
	}
	return nil
}

func parseSize(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= data.MaxPixels) {
		return 0, fmt.Errorf("image side %.40q is not a number of pixels", text)
	}
	return int(math.Round(v)), nil
}

// walkXML calls f at the end of every element with its path from the root
// ("annotation/size/width") and its own text, trimmed.
func walkXML(r io.Reader, f func(path, text string) error) error {
	dec, err := text.NewXMLDecoder(r)
	if err != nil {
		return err
	}
	var path []string
	var chars strings.Builder
	elements := 0
	for {
		token, err := dec.Token()
		if err == io.EOF {
			if elements == 0 {
				return errors.New("no XML element")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if elements++; len(path) == 32 {
				return fmt.Errorf("XML nests deeper than %d", len(path))
			}
			path = append(path, t.Name.Local)
			chars.Reset()
		case xml.CharData:
			chars.Write(t)
		case xml.EndElement:
			if err := f(strings.Join(path, "/"), strings.TrimSpace(chars.String())); err != nil {
				line, _ := dec.InputPos()
				return fmt.Errorf("line %d: %w", line, err)
			}
			path = path[:len(path)-1]
			chars.Reset()
		}
	}
}
