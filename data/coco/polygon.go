package coco

import (
	"fmt"
	"math"
	"slices"

	"wsss/data"
)

// upsample is the factor by which COCO's rasteriser refines the pixel grid
// before it walks an outline.
const upsample = 5

// maxSteps bounds the walk along one outline, in refined pixels.
const maxSteps = 1 << 26

// fillPolygon rasterises a closed polygon x0, y0, x1, y1, … of w×h pixels as
// pycocotools' annToMask does, pixel for pixel: the outline is walked on a grid
// refined five times, every crossing of a pixel column's centre line is
// rounded to a row, and the rows between two crossings are inside (even-odd).
func fillPolygon(xy []float64, w, h int) (data.RLE, error) {
	if len(xy) < 6 || len(xy)%2 != 0 {
		return data.RLE{}, fmt.Errorf("polygon of %d numbers: an even count of at least 6 is allowed", len(xy))
	}
	p := walk{w: w, h: h}
	n := len(xy) / 2
	corner := func(i int) (x, y int) {
		i %= n
		return int(float64(upsample*xy[2*i]) + .5), int(float64(upsample*xy[2*i+1]) + .5)
	}
	for _, v := range xy {
		if !(math.Abs(v) <= 1<<20) {
			return data.RLE{}, fmt.Errorf("polygon coordinate %v: allowed are ±%d", v, 1<<20)
		}
	}
	steps := 0
	for i := range n {
		x0, y0 := corner(i)
		x1, y1 := corner(i + 1)
		if steps += max(abs(x1-x0), abs(y1-y0)) + 1; steps > maxSteps {
			return data.RLE{}, fmt.Errorf("polygon is longer than %d pixels", maxSteps/upsample)
		}
		p.edge(x0, y0, x1, y1)
	}
	return p.runs(), nil
}

// walk gathers where a walk crosses the centre lines of pixel columns.
type walk struct {
	w, h    int
	u, v    int // where the walk is, on the refined grid
	walking bool
	at      []uint32 // crossings as column-major pixel numbers
}

// edge walks from one corner to the next, one refined pixel at a time along
// the longer axis. The slope is always taken in the direction of growing
// coordinates, so that an edge gives the same pixels either way.
func (p *walk) edge(x0, y0, x1, y1 int) {
	dx, dy := abs(x1-x0), abs(y1-y0)
	steep := dy > dx
	length, from, to := dx, x0, x1
	if steep {
		length, from, to = dy, y0, y1
	}
	backward := from > to
	if backward {
		x0, y0, x1, y1 = x1, y1, x0, y0
	}
	slope := 0.0
	switch {
	case steep:
		slope = float64(x1-x0) / float64(dy)
	case dx > 0:
		slope = float64(y1-y0) / float64(dx)
	}
	for d := range length + 1 {
		t := d
		if backward {
			t = length - d
		}
		// The conversion forbids fusing the product into the sum, which would
		// round differently.
		rise := float64(slope * float64(t))
		if steep {
			p.step(int(float64(x0)+rise+.5), t+y0)
		} else {
			p.step(t+x0, int(float64(y0)+rise+.5))
		}
	}
}

// step moves the walk to a refined pixel. Where it changes column and the
// border between the two lies on a pixel's centre line, it notes a crossing.
func (p *walk) step(u, v int) {
	before, beforeV := p.u, p.v
	first := !p.walking
	p.u, p.v, p.walking = u, v, true
	if first || u == before {
		return
	}
	const centre = upsample / 2
	column := min(u, before)
	if u > before {
		column = u - 1
	}
	if column < centre || (column-centre)%upsample != 0 || (column-centre)/upsample >= p.w {
		return
	}
	row := math.Ceil((float64(min(v, beforeV))+.5)/upsample - .5)
	y := int(min(max(row, 0), float64(p.h)))
	p.at = append(p.at, uint32((column-centre)/upsample*p.h+y))
}

// runs turns the crossings into run lengths: each one toggles inside and
// outside, so equal ones cancel.
func (p *walk) runs() data.RLE {
	slices.Sort(p.at)
	r := data.RLE{W: p.w, H: p.h}
	end := uint32(p.w * p.h)
	var last uint32
	for i := 0; i < len(p.at); i++ {
		if i+1 < len(p.at) && p.at[i] == p.at[i+1] {
			i++
			continue
		}
		if p.at[i] < end {
			r.Counts = append(r.Counts, p.at[i]-last)
			last = p.at[i]
		}
	}
	r.Counts = append(r.Counts, end-last)
	return r
}

func abs(i int) int { return max(i, -i) }
