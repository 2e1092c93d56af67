package corrections

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"wsss/data"
)

// file is a correction as JSON. Classes are names, so that another class table
// cannot change what was meant; "" is void.
type file struct {
	About    string       `json:"about"`
	Image    string       `json:"image"`
	Width    int          `json:"width"`
	Height   int          `json:"height"`
	Verdict  Verdict      `json:"verdict,omitempty"`
	Prompts  *[]filed     `json:"prompts,omitempty"` // left out: the image's own weak labels hold
	Tags     *[]string    `json:"tags,omitempty"`    // likewise, its own tags
	Painted  []fileRegion `json:"painted,omitempty"`
	Accepted []fileRegion `json:"accepted,omitempty"`
}

const about = "Corrections of an image's labels, made by wsss review. Masks are COCO's compressed run lengths."

type fileRegion struct {
	Class string `json:"class"`
	RLE   string `json:"rle"`
}

type filed struct {
	ID      string       `json:"id"`
	Class   string       `json:"class"`
	Box     *[4]float32  `json:"box,omitempty"` // x0, y0, x1, y1, edges
	Points  []filePoint  `json:"points,omitempty"`
	Strokes []fileStroke `json:"strokes,omitempty"`
}

type filePoint struct {
	X   int  `json:"x"`
	Y   int  `json:"y"`
	Out bool `json:"out,omitempty"`
}

type fileStroke struct {
	Line []int `json:"line"` // x0, y0, x1, y1, …
	Out  bool  `json:"out,omitempty"`
}

// Bounds of what a file, or a page, may say about an image.
const (
	MaxPrompts = 10_000
	maxMarks   = 100_000 // points, and corners of strokes, of a prompt
	maxID      = 64
)

func encode(id string, c *Correction, classes data.Classes) ([]byte, error) {
	f := file{About: about, Image: id, Width: c.W, Height: c.H, Verdict: c.Verdict}
	name := func(class int) string {
		if class == data.Ignore {
			return ""
		}
		return classes.Name(class)
	}
	if c.Prompted {
		list := make([]filed, len(c.Prompts))
		for i, p := range c.Prompts {
			q := filed{ID: p.ID, Class: name(p.Class)}
			if p.Box != nil {
				q.Box = &[4]float32{p.Box.X0, p.Box.Y0, p.Box.X1, p.Box.Y1}
			}
			for _, t := range p.Points {
				q.Points = append(q.Points, filePoint(t))
			}
			for _, s := range p.Strokes {
				k := fileStroke{Out: s.Out}
				for _, t := range s.Line {
					k.Line = append(k.Line, t.X, t.Y)
				}
				q.Strokes = append(q.Strokes, k)
			}
			list[i] = q
		}
		f.Prompts = &list
	}
	if c.Tagged {
		list := make([]string, len(c.Tags))
		for i, v := range c.Tags {
			list[i] = classes.Name(v)
		}
		f.Tags = &list
	}
	for _, r := range c.Painted {
		f.Painted = append(f.Painted, fileRegion{name(r.Class), r.Bits.COCOString()})
	}
	if c.Verdict == Accepted {
		for _, r := range c.Accepted {
			f.Accepted = append(f.Accepted, fileRegion{name(r.Class), r.Bits.COCOString()})
		}
	}
	raw, err := json.MarshalIndent(f, "", " ")
	return append(raw, '\n'), err
}

func decode(raw []byte, classes data.Classes) (*Correction, error) {
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("not a correction: %w", err)
	}
	c := &Correction{W: f.Width, H: f.Height, Verdict: f.Verdict}
	if c.W <= 0 || c.H <= 0 || int64(c.W)*int64(c.H) > data.MaxPixels {
		return nil, fmt.Errorf("width and height %d×%d: sides must be positive and the area at most %d", c.W, c.H, data.MaxPixels)
	}
	if c.Verdict != Open && c.Verdict != Accepted && c.Verdict != Rejected {
		return nil, fmt.Errorf("verdict %.40q: allowed are %q, %q, or none", c.Verdict, Accepted, Rejected)
	}
	class := func(name string) (int, error) {
		if name == "" {
			return data.Ignore, nil
		}
		if i := classes.Index(name); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("class %.60q is not in the class table; where it was renamed, rename it in the correction, or delete the file and review the image again", name)
	}
	if f.Prompts != nil {
		c.Prompted = true
		for i, q := range *f.Prompts {
			p, err := q.prompt(class)
			if err == nil {
				err = p.Check(image.Pt(c.W, c.H), classes)
			}
			if err != nil {
				return nil, fmt.Errorf("prompts[%d]: %w", i, err)
			}
			c.Prompts = append(c.Prompts, p)
		}
		if len(c.Prompts) > MaxPrompts {
			return nil, fmt.Errorf("%d prompts: at most %d are allowed", len(c.Prompts), MaxPrompts)
		}
	}
	if f.Tags != nil {
		c.Tagged = true
		for i, name := range *f.Tags {
			v, err := class(name)
			if err == nil && (v == 0 || v == data.Ignore) {
				err = errors.New("background and void are no tags")
			}
			if err != nil {
				return nil, fmt.Errorf("tags[%d]: %w", i, err)
			}
			c.Tags = append(c.Tags, v)
		}
		slices.Sort(c.Tags)
		c.Tags = slices.Compact(c.Tags)
	}
	var err error
	if c.Painted, err = readRegions(f.Painted, c.W, c.H, class); err != nil {
		return nil, fmt.Errorf("painted%w", err)
	}
	if c.Accepted, err = readRegions(f.Accepted, c.W, c.H, class); err != nil {
		return nil, fmt.Errorf("accepted%w", err)
	}
	return c, nil
}

func readRegions(list []fileRegion, w, h int, class func(string) (int, error)) ([]Region, error) {
	if len(list) > data.MaxClasses+1 {
		return nil, fmt.Errorf(": %d regions: one for each class is allowed", len(list))
	}
	var out []Region
	for i, r := range list {
		v, err := class(r.Class)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		bits, err := data.ParseCOCOString(r.RLE, w, h)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out = append(out, Region{v, bits})
	}
	return out, nil
}

func (q filed) prompt(class func(string) (int, error)) (Prompt, error) {
	p := Prompt{ID: q.ID}
	var err error
	if p.Class, err = class(q.Class); err != nil {
		return p, err
	}
	if q.Box != nil {
		p.Box = &Box{q.Box[0], q.Box[1], q.Box[2], q.Box[3]}
	}
	for _, t := range q.Points {
		p.Points = append(p.Points, Point(t))
	}
	for _, s := range q.Strokes {
		if len(s.Line)%2 != 0 {
			return p, fmt.Errorf("a line of %d numbers: allowed are pairs x, y", len(s.Line))
		}
		k := Stroke{Out: s.Out}
		for i := 0; i < len(s.Line); i += 2 {
			k.Line = append(k.Line, image.Pt(s.Line[i], s.Line[i+1]))
		}
		p.Strokes = append(p.Strokes, k)
	}
	return p, nil
}

// Check returns an error that says what is wrong with a prompt on an image of a
// size.
func (p *Prompt) Check(size image.Point, classes data.Classes) error {
	if p.ID == "" || len(p.ID) > maxID {
		return fmt.Errorf("id %.80q: allowed are 1..%d characters", p.ID, maxID)
	}
	if p.Class != data.Ignore && (p.Class < 0 || p.Class >= classes.Len()) {
		return fmt.Errorf("class %d: allowed are 0..%d and %d (void)", p.Class, classes.Len()-1, data.Ignore)
	}
	if b := p.Box; b != nil {
		for _, v := range []float32{b.X0, b.Y0, b.X1, b.Y1} {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return errors.New("box: its edges must be numbers")
			}
		}
		if !(b.X0 >= 0 && b.Y0 >= 0 && b.X0 < b.X1 && b.Y0 < b.Y1 && b.X1 <= float32(size.X) && b.Y1 <= float32(size.Y)) {
			return fmt.Errorf("box (%v,%v)-(%v,%v): allowed are boxes inside the image of %d×%d", b.X0, b.Y0, b.X1, b.Y1, size.X, size.Y)
		}
	}
	marks := 0
	inside := func(x, y int) error {
		if marks++; x < 0 || y < 0 || x >= size.X || y >= size.Y {
			return fmt.Errorf("point (%d,%d): allowed are pixels of the image of %d×%d", x, y, size.X, size.Y)
		}
		return nil
	}
	for _, t := range p.Points {
		if err := inside(t.X, t.Y); err != nil {
			return err
		}
	}
	for _, s := range p.Strokes {
		for _, t := range s.Line {
			if err := inside(t.X, t.Y); err != nil {
				return err
			}
		}
	}
	switch {
	case marks > maxMarks:
		return fmt.Errorf("%d points: at most %d are allowed", marks, maxMarks)
	case marks == 0 && p.Box == nil:
		return errors.New("it has neither box nor points")
	}
	return nil
}
