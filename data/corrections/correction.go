// Package corrections keeps what a person corrected about an image's labels:
// prompts, painted pixels, and a verdict. They lie in a folder of their own,
// one JSON file for each image, and hold whatever made the labels: corrected
// pixels outrank every method, corrected prompts take the place of the image's
// weak labels.
package corrections

import (
	"image"
	"math"
	"slices"

	"wsss/data"
)

// Verdict is a person's judgement of an image's label.
type Verdict string

// The verdicts.
const (
	Open     Verdict = ""         // not judged
	Accepted Verdict = "accepted" // right as it is: its pixels are kept
	Rejected Verdict = "rejected" // of no use: the image is left out
)

// Correction is what was corrected about one image.
type Correction struct {
	W, H    int // pixels of the photo that it was made on
	Verdict Verdict
	// Prompted tells that Prompts take the place of the image's weak labels,
	// be it with none.
	Prompted bool
	Prompts  []Prompt
	// Tagged tells that Tags take the place of the image's own, be it with
	// none. They are label values above 0, ascending.
	Tagged   bool
	Tags     []int
	Painted  []Region // pixels set by hand, disjoint
	Accepted []Region // of an accepted label, all that is not background
}

// Prompt asks for the mask of one object: a box, points in and out of it,
// strokes along it, or several of these.
type Prompt struct {
	ID      string   // unique in the image
	Class   int      // label value; 0 shows background, data.Ignore void
	Box     *Box     // nil = none
	Points  []Point  //
	Strokes []Stroke //
}

// Equal tells whether two prompts ask for the same.
func (p Prompt) Equal(q Prompt) bool {
	return p.ID == q.ID && p.Class == q.Class && (p.Box == nil) == (q.Box == nil) && (p.Box == nil || *p.Box == *q.Box) &&
		slices.Equal(p.Points, q.Points) &&
		slices.EqualFunc(p.Strokes, q.Strokes, func(a, b Stroke) bool { return a.Out == b.Out && slices.Equal(a.Line, b.Line) })
}

// Box is a box in edge coordinates.
type Box struct{ X0, Y0, X1, Y1 float32 }

// Point is a click on a pixel: in the object, or out of it.
type Point struct {
	X, Y int
	Out  bool
}

// Stroke is an open line of pixels in the object, or out of it.
type Stroke struct {
	Line []image.Point
	Out  bool
}

// Region is the pixels of one label value.
type Region struct {
	Class int
	Bits  data.RLE
}

// Empty tells that there is nothing corrected.
func (c *Correction) Empty() bool {
	return c == nil || c.Verdict == Open && !c.Prompted && !c.Tagged && len(c.Painted) == 0
}

// Paint sets the corrected pixels of a label map, which has the size of the
// correction: all of an accepted label, then what was painted.
func (c *Correction) Paint(m *data.LabelMap) {
	if c.Verdict == Accepted {
		clear(m.Pix)
		paint(m, c.Accepted)
	}
	paint(m, c.Painted)
}

func paint(m *data.LabelMap, regions []Region) {
	for _, r := range regions {
		v := uint8(r.Class)
		r.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				m.Pix[y*m.W+x] = v
			}
		})
	}
}

// Label is the map of an accepted label.
func (c *Correction) Label() *data.LabelMap {
	m := data.NewLabelMap(c.W, c.H)
	c.Paint(m)
	return m
}

// Accept keeps a label map, of the correction's size, as it is.
func (c *Correction) Accept(m *data.LabelMap) {
	c.Verdict, c.Accepted = Accepted, regions(m.W, m.H, func(i int) int {
		if v := m.Pix[i]; v > 0 {
			return int(v)
		}
		return none
	})
}

// FromWeak makes the prompts of an image from its weak labels of a kind: one
// for each box or stroke, one for all points of a class, which points of other
// classes tell from it.
func FromWeak(w data.WeakLabels, kind data.WeakKind) []Prompt {
	var list []Prompt
	add := func(p Prompt) {
		p.ID = "w" + itoa(len(list))
		list = append(list, p)
	}
	switch kind {
	case data.WeakBoxes:
		for _, b := range w.Boxes {
			if b.Class != 0 && !b.Crowd {
				add(Prompt{Class: b.Class, Box: &Box{b.X0, b.Y0, b.X1, b.Y1}})
			}
		}
	case data.WeakScribbles:
		for _, class := range classesOf(len(w.Scribbles), func(i int) int { return w.Scribbles[i].Class }) {
			p := Prompt{Class: class}
			for _, s := range w.Scribbles {
				p.Strokes = append(p.Strokes, Stroke{Line: s.Points, Out: s.Class != class})
			}
			add(p)
		}
	case data.WeakPoints:
		for _, class := range classesOf(len(w.Points), func(i int) int { return w.Points[i].Class }) {
			p := Prompt{Class: class}
			for _, q := range w.Points {
				p.Points = append(p.Points, Point{q.X, q.Y, q.Class != class})
			}
			add(p)
		}
	}
	return list
}

// classesOf lists the classes above background, ascending.
func classesOf(n int, class func(i int) int) []int {
	var seen [256]bool
	for i := range n {
		if c := class(i); c > 0 && c < len(seen) {
			seen[c] = true
		}
	}
	var list []int
	for c, there := range seen {
		if there {
			list = append(list, c)
		}
	}
	return list
}

// TagsOf are the classes that an image shows, ascending, where its own tags are
// the given ones: those of an accepted label, else the corrected tags, and the
// classes of the corrected prompts. Without any of these they are the own.
func (c *Correction) TagsOf(own []int) []int {
	var tags [256]bool
	if c.Verdict == Accepted {
		tags = c.Label().Present()
	} else {
		if !c.Tagged && !c.Prompted {
			return own
		}
		for _, v := range c.Tags {
			tags[uint8(v)] = true
		}
		if c.Prompted {
			for _, p := range c.Prompts {
				tags[uint8(p.Class)] = true
			}
		}
	}
	return data.Objects(tags)
}

// Tag says whether an image shows a class, where its own tags are the given
// ones. Tags that are as the own ones no longer count as corrected.
func (c *Correction) Tag(own []int, class int, shown bool) {
	own = slices.Compact(slices.Sorted(slices.Values(own)))
	tags := c.Tags
	if !c.Tagged {
		tags = own
	}
	tags = slices.DeleteFunc(slices.Clone(tags), func(v int) bool { return v == class })
	if shown {
		tags = append(tags, class)
		slices.Sort(tags)
	}
	if c.Tagged, c.Tags = !slices.Equal(tags, own), tags; !c.Tagged {
		c.Tags = nil
	}
}

// Weak puts the corrected prompts in the place of weak labels, in every form
// that they have and that w has, and the corrected tags in that of tags.
func (c *Correction) Weak(w data.WeakLabels) data.WeakLabels {
	w.Tags = c.TagsOf(w.Tags)
	if !c.Prompted {
		return w
	}
	w.Boxes, w.Points, w.Scribbles = w.Boxes[:0:0], w.Points[:0:0], w.Scribbles[:0:0]
	for _, p := range c.Prompts {
		if p.Class == data.Ignore {
			continue
		}
		if b := p.Box; b != nil {
			w.Boxes = append(w.Boxes, data.Box{X0: b.X0, Y0: b.Y0, X1: b.X1, Y1: b.Y1, Class: p.Class})
		}
		for _, q := range p.Points {
			if !q.Out {
				w.Points = append(w.Points, data.Point{X: q.X, Y: q.Y, Class: p.Class})
			}
		}
		for _, s := range p.Strokes {
			if !s.Out && len(s.Line) > 0 {
				w.Scribbles = append(w.Scribbles, data.Scribble{Class: p.Class, Points: s.Line})
			}
		}
	}
	return w
}

// strokePoints is how many points stand for a stroke.
const strokePoints = 12

// Clicks are a prompt's points and, spread along them, those of its strokes.
func (p *Prompt) Clicks() []Point {
	clicks := append([]Point(nil), p.Points...)
	for _, s := range p.Strokes {
		clicks = append(clicks, along(s)...)
	}
	return clicks
}

// along walks a stroke and takes points at equal distances.
func along(s Stroke) []Point {
	var length float64
	for i := 1; i < len(s.Line); i++ {
		length += distance(s.Line[i-1], s.Line[i])
	}
	if len(s.Line) == 0 {
		return nil
	}
	step := max(length/strokePoints, 1)
	points := []Point{{s.Line[0].X, s.Line[0].Y, s.Out}}
	next := step
	var walked float64
	for i := 1; i < len(s.Line); i++ {
		a, b := s.Line[i-1], s.Line[i]
		d := distance(a, b)
		for ; next <= walked+d+1e-9 && d > 0; next += step {
			t := (next - walked) / d
			points = append(points, Point{
				int(math.Round(float64(a.X) + t*float64(b.X-a.X))), int(math.Round(float64(a.Y) + t*float64(b.Y-a.Y))), s.Out})
		}
		walked += d
	}
	return points
}

func distance(a, b image.Point) float64 {
	return math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y))
}
