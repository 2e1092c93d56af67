package outline

import (
	"image"
	"slices"

	"wsss/data"
)

// Region is a 4-connected region of one class, with its outlines: rings of
// pixel corners, so that they enclose exactly the region's pixels.
type Region struct {
	Class  int
	Area   int // pixels
	Bounds image.Rectangle
	// Outer runs clockwise as seen on the screen, Holes the other way round.
	// The first corner is not repeated at the end.
	Outer []image.Point
	Holes [][]image.Point

	runs  []run
	child map[image.Point]int // where an upward bridge from hole i meets another ring
}

// run is a vertical run of a region's pixels: column x, rows y0 <= y < y1.
type run struct{ x, y0, y1 int }

// Regions lists the regions of all classes but background and void, in the
// order of their topmost, then leftmost pixel; those below minArea pixels are
// left out.
func Regions(m *data.LabelMap, minArea int) []Region {
	owner, regions := components(m)
	t := tracer{m: m, owner: owner, passed: make([]bool, len(owner))}
	for y := range m.H {
		for x := range m.W {
			i := y*m.W + x
			if n := owner[i]; n > 0 && t.owned(x, y-1) != n && !t.passed[i] {
				t.trace(&regions[n-1], x, y)
			}
		}
	}
	for x := range m.W {
		for y := 0; y < m.H; {
			n, y0 := owner[y*m.W+x], y
			for y < m.H && owner[y*m.W+x] == n {
				y++
			}
			if n > 0 {
				r := &regions[n-1]
				r.runs = append(r.runs, run{x, y0, y})
			}
		}
	}
	for i := range regions {
		t.bridge(&regions[i], int32(i+1))
	}
	return slices.DeleteFunc(regions, func(r Region) bool { return r.Area < minArea })
}

// components numbers the regions from 1; 0 is background and void.
func components(m *data.LabelMap) ([]int32, []Region) {
	owner := make([]int32, len(m.Pix))
	var regions []Region
	var stack []int32
	for start, v := range m.Pix {
		if v == 0 || v == data.Ignore || owner[start] != 0 {
			continue
		}
		n := int32(len(regions) + 1)
		r := Region{Class: int(v)}
		owner[start] = n
		for stack = append(stack[:0], int32(start)); len(stack) > 0; {
			i := int(stack[len(stack)-1])
			stack = stack[:len(stack)-1]
			x, y := i%m.W, i/m.W
			r.Area++
			r.Bounds = r.Bounds.Union(image.Rect(x, y, x+1, y+1))
			visit := func(k int) {
				if m.Pix[k] == v && owner[k] == 0 {
					owner[k] = n
					stack = append(stack, int32(k))
				}
			}
			if x > 0 {
				visit(i - 1)
			}
			if x+1 < m.W {
				visit(i + 1)
			}
			if y > 0 {
				visit(i - m.W)
			}
			if y+1 < m.H {
				visit(i + m.W)
			}
		}
		regions = append(regions, r)
	}
	return owner, regions
}

// tracer follows the cracks between pixels.
type tracer struct {
	m      *data.LabelMap
	owner  []int32
	passed []bool // pixels whose upper edge belongs to a ring that was followed
}

// owned is the region of a pixel, 0 outside the map.
func (t *tracer) owned(x, y int) int32 {
	if x < 0 || y < 0 || x >= t.m.W || y >= t.m.H {
		return 0
	}
	return t.owner[y*t.m.W+x]
}

// headings: east, south, west, north.
var headings = [4]image.Point{{X: 1}, {Y: 1}, {X: -1}, {Y: -1}}

// trace follows the ring that begins with the upper edge of pixel (x, y),
// region to the right. Rings are found in reading order, so that each begins
// at a corner and the first of a region is its outer one.
func (t *tracer) trace(r *Region, x, y int) {
	n := t.owner[y*t.m.W+x]
	var ring []image.Point
	at, heading := image.Pt(x, y), 0
	for {
		if heading == 0 {
			i := at.Y*t.m.W + at.X
			if t.passed[i] {
				break // back at the start
			}
			t.passed[i] = true
		}
		at = at.Add(headings[heading])
		// The pixels ahead of the corner, right and left of the way. Where
		// only the left one belongs to the region the two touch at the corner,
		// and the ring stays with the pixel that it follows.
		left, right := ahead(at, heading)
		turned := heading
		switch {
		case t.owned(right.X, right.Y) != n:
			turned = (heading + 1) % 4
		case t.owned(left.X, left.Y) == n:
			turned = (heading + 3) % 4
		}
		if turned != heading {
			ring = append(ring, at)
			heading = turned
		}
	}
	if r.Outer == nil {
		r.Outer = ring
	} else {
		r.Holes = append(r.Holes, ring)
	}
}

// ahead returns the two pixels beyond a corner.
func ahead(at image.Point, heading int) (left, right image.Point) {
	switch heading {
	case 0:
		return at.Add(image.Pt(0, -1)), at
	case 1:
		return at, at.Add(image.Pt(-1, 0))
	case 2:
		return at.Add(image.Pt(-1, 0)), at.Add(image.Pt(-1, -1))
	}
	return at.Add(image.Pt(-1, -1)), at.Add(image.Pt(0, -1))
}

// bridge finds, for every hole, where a line upwards from its topmost, then
// leftmost corner meets the ring above: through the region's pixels only, and
// always a ring that begins higher up, so that bridges form a tree.
func (t *tracer) bridge(r *Region, n int32) {
	if len(r.Holes) == 0 {
		return
	}
	r.child = make(map[image.Point]int, len(r.Holes))
	for i, hole := range r.Holes {
		at := hole[top(hole)]
		y := at.Y
		for t.owned(at.X, y-1) == n {
			y--
		}
		// Two holes may meet a ring at the same point only if one hides the
		// other, and then the lower one meets the upper.
		r.child[image.Pt(at.X, y)] = i
	}
}

// top is the index of a ring's topmost, then leftmost corner.
func top(ring []image.Point) int {
	best := 0
	for i, p := range ring {
		if b := ring[best]; p.Y < b.Y || p.Y == b.Y && p.X < b.X {
			best = i
		}
	}
	return best
}

// Polygon is the region as one closed line, for formats without holes: every
// hole is reached over a bridge of no width. The area under it, by the
// shoelace formula, is the region's, and so is the fill of any rasteriser.
func (r *Region) Polygon() []image.Point {
	if len(r.Holes) == 0 {
		return r.Outer
	}
	return r.splice(nil, r.Outer, 0)
}

// splice appends a ring from corner start on, with the holes that hang on it.
func (r *Region) splice(out, ring []image.Point, start int) []image.Point {
	for k := range ring {
		a, b := ring[(start+k)%len(ring)], ring[(start+k+1)%len(ring)]
		out = append(out, a)
		if a.Y != b.Y || a.X >= b.X {
			continue // bridges meet upper edges of pixels: on the way east
		}
		for x := a.X; x < b.X; x++ {
			meet := image.Pt(x, a.Y)
			i, ok := r.child[meet]
			if !ok {
				continue
			}
			hole := r.Holes[i]
			if x > a.X {
				out = append(out, meet)
			}
			first := top(hole)
			out = r.splice(out, hole, first)
			out = append(out, hole[first], meet)
		}
	}
	return out
}

// RLE is the region's mask on an image of w×h pixels.
func (r *Region) RLE(w, h int) data.RLE {
	code := data.RLE{W: w, H: h}
	end := 0 // of the last inside run, in column-major order
	for _, s := range r.runs {
		from, to := s.x*h+s.y0, s.x*h+s.y1
		if from == end && len(code.Counts) > 0 {
			code.Counts[len(code.Counts)-1] += uint32(to - from)
		} else {
			code.Counts = append(code.Counts, uint32(from-end), uint32(to-from))
		}
		end = to
	}
	if end < w*h || len(code.Counts) == 0 {
		code.Counts = append(code.Counts, uint32(w*h-end))
	}
	return code
}

// ShoelaceArea is the area that a closed line encloses; positive for rings
// that run clockwise on the screen.
func ShoelaceArea(ring []image.Point) float64 {
	twice := 0
	for i, p := range ring {
		q := ring[(i+1)%len(ring)]
		twice += p.X*q.Y - q.X*p.Y
	}
	return float64(twice) / 2
}
