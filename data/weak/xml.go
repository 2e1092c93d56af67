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
)

// Annotation is what a VOC detection XML says about an image.
type Annotation struct {
	W, H  int // 0 where the file gives no size
	Tags  []int
	Boxes []data.Box
	Other []string // names of objects outside the class table, which are skipped; unique
}

// mostOther bounds Annotation.Other.
const mostOther = 20

// ReadVOCXML reads a VOC detection XML (docs/sources.md §9). Tags are all classes that
// a name inside an object carries, part names included, as IRN does; boxes are
// those of the objects themselves, difficult ones flagged. Names outside the
// class table are skipped. Boxes are clipped to the image; one that is empty
// then is an error.
func ReadVOCXML(path string, classes data.Classes) (*Annotation, error) {
	return parseFile(path, maxXML, func(r io.Reader) (*Annotation, error) { return ParseVOCXML(r, classes) })
}

// ParseVOCXML is ReadVOCXML on a stream.
func ParseVOCXML(r io.Reader, classes data.Classes) (*Annotation, error) {
	a := &Annotation{Boxes: []data.Box{}}
	var object vocObject
	err := walkXML(r, func(path, text string) error {
		var err error
		switch path {
		case "annotation/size/width":
			a.W, err = parseSize(text)
		case "annotation/size/height":
			a.H, err = parseSize(text)
		case "annotation/object/name":
			if object.class = classes.Index(text); object.class <= 0 && len(a.Other) < mostOther && !slices.Contains(a.Other, text) {
				a.Other = append(a.Other, text)
			}
		case "annotation/object/difficult":
			object.difficult = text == "1"
		case "annotation/object/bndbox/xmin":
			err = object.side(0, text)
		case "annotation/object/bndbox/ymin":
			err = object.side(1, text)
		case "annotation/object/bndbox/xmax":
			err = object.side(2, text)
		case "annotation/object/bndbox/ymax":
			err = object.side(3, text)
		case "annotation/object":
			if object.class > 0 && object.sides == 0b1111 {
				a.Boxes = append(a.Boxes, object.box())
			}
			object = vocObject{}
		}
		if strings.HasPrefix(path, "annotation/object/") && strings.HasSuffix(path, "/name") {
			if c := classes.Index(text); c > 0 {
				a.Tags = append(a.Tags, c)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.Tags = sortedUnique(a.Tags)
	return a, a.clip()
}

// vocObject gathers one object element; its box is 1-based and inclusive.
type vocObject struct {
	class     int
	difficult bool
	edge      [4]float64 // xmin, ymin, xmax, ymax
	sides     uint8      // which of them have been read
}

func (o *vocObject) side(i int, text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(v) > 1<<24 || math.IsNaN(v) {
		return fmt.Errorf("box coordinate %.40q is not a pixel", text)
	}
	o.edge[i] = v
	o.sides |= 1 << i
	return nil
}

func (o *vocObject) box() data.Box {
	return data.Box{
		X0: float32(o.edge[0] - 1), Y0: float32(o.edge[1] - 1), X1: float32(o.edge[2]), Y1: float32(o.edge[3]),
		Class: o.class, Difficult: o.difficult,
	}
}

func (a *Annotation) clip() error {
	for i := range a.Boxes {
		b := &a.Boxes[i]
		b.X0, b.Y0 = max(b.X0, 0), max(b.Y0, 0)
		if a.W > 0 {
			b.X1 = min(b.X1, float32(a.W))
		}
		if a.H > 0 {
			b.Y1 = min(b.Y1, float32(a.H))
		}
		if b.X0 >= b.X1 || b.Y0 >= b.Y1 {
			return fmt.Errorf("box %d (class %d) covers no pixel of the image of %d×%d", i+1, b.Class, a.W, a.H)
		}
	}
	return nil
}

func parseSize(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > data.MaxPixels {
		return 0, fmt.Errorf("image side %.40q is not a number of pixels", text)
	}
	return n, nil
}

// walkXML calls f at the end of every element with its path from the root
// ("annotation/size/width") and its own text, trimmed.
func walkXML(r io.Reader, f func(path, text string) error) error {
	dec := xml.NewDecoder(r)
	// Element names and numbers are ASCII in every encoding that occurs.
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var path []string
	var text strings.Builder
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
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if err := f(strings.Join(path, "/"), strings.TrimSpace(text.String())); err != nil {
				line, _ := dec.InputPos()
				return fmt.Errorf("line %d: %w", line, err)
			}
			path = path[:len(path)-1]
			text.Reset()
		}
	}
}
