package weak

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"strconv"
	"strings"

	"wsss/data"
)

// Scribbles is a ScribbleSup annotation.
type Scribbles struct {
	W, H    int // as the file says; 0 where it does not
	Lines   []data.Scribble
	Unknown int // lines whose tag is not a class: context classes, skipped

	onZero, onSize int // coordinates that are 0, or the image's width or height
}

// ReadScribbles reads a ScribbleSup XML (docs/sources.md §9): open polylines, each with
// a tag that tags maps to a class, "background" to 0. base is the coordinate
// of the first pixel, 0 or 1; public readers disagree. Points may lie outside
// the image: see Clamp.
func ReadScribbles(path string, base int, tags map[string]int) (*Scribbles, error) {
	return parseFile(path, maxXML, func(r io.Reader) (*Scribbles, error) { return ParseScribbles(r, base, tags) })
}

// ParseScribbles is ReadScribbles on a stream.
func ParseScribbles(r io.Reader, base int, tags map[string]int) (*Scribbles, error) {
	if base != 0 && base != 1 {
		return nil, fmt.Errorf("scribble base %d: allowed are 0 and 1", base)
	}
	s := &Scribbles{Lines: []data.Scribble{}}
	var line data.Scribble
	var tag string
	var x, y *int
	err := walkXML(r, func(path, text string) error {
		var err error
		switch _, rest, _ := strings.Cut(path, "/"); rest { // whatever the root is called
		case "size/width":
			s.W, err = parseSize(text)
		case "size/height":
			s.H, err = parseSize(text)
		case "polygon/tag":
			tag = text
		case "polygon/point/X":
			x, err = scribbleCoordinate(text, base)
		case "polygon/point/Y":
			y, err = scribbleCoordinate(text, base)
		case "polygon/point":
			if x == nil || y == nil {
				return errors.New("scribble point lacks X or Y")
			}
			line.Points = append(line.Points, image.Pt(*x, *y))
			s.observe(*x+base, s.W)
			s.observe(*y+base, s.H)
			x, y = nil, nil
		case "polygon":
			class, known := tags[tag]
			if !known {
				s.Unknown++
			} else if len(line.Points) > 0 {
				line.Class = class
				s.Lines = append(s.Lines, line)
			}
			line, tag = data.Scribble{}, ""
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// observe counts the evidence for DetectBase.
func (s *Scribbles) observe(v, side int) {
	switch {
	case v == 0:
		s.onZero++
	case v == side && side > 0:
		s.onSize++
	}
}

func scribbleCoordinate(text string, base int) (*int, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) {
		return nil, fmt.Errorf("scribble coordinate %.40q is not a number", text)
	}
	p := pixel(v) - base
	return &p, nil
}

// Clamp moves points outside an image of w×h onto its border and returns how
// many it moved.
func (s *Scribbles) Clamp(w, h int) (moved int) {
	for _, line := range s.Lines {
		for i, p := range line.Points {
			q := image.Pt(min(max(p.X, 0), w-1), min(max(p.Y, 0), h-1))
			if q != p {
				line.Points[i] = q
				moved++
			}
		}
	}
	return moved
}
