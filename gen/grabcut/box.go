package grabcut

import (
	"fmt"
	"image"
	"math"

	"wsss/data"
	"wsss/gen"
)

// boxes cuts one mask per box. Boxes without a pixel inside the image give
// none.
func (c *cutter) boxes(boxes []data.Box) ([]gen.Mask, error) {
	var masks []gen.Mask
	for _, b := range boxes {
		if b.Crowd && !c.opts.Crowds {
			continue
		}
		rect := b.Rect().Intersect(c.img.Rect)
		if rect.Empty() {
			continue
		}
		m, err := c.box(b, rect)
		if err != nil {
			return nil, err
		}
		masks = append(masks, m)
	}
	return masks, nil
}

// box cuts the object out of one box. All outside the box is background. A cut
// that does not reach the sides of its box has lost the object to a background
// of similar colour: it is made again with more weight on place than on
// colour, and gives way to an ellipse in the end.
func (c *cutter) box(b data.Box, rect image.Rectangle) (gen.Mask, error) {
	r := newRegion(c.around(rect))
	m := gen.Mask{Class: b.Class, From: gen.Prompt{Class: b.Class, Box: &b, Source: "box", Score: 1}}
	for weight := c.opts.Prior; ; weight *= 2 {
		c.occupy(r, rect, weight)
		if c.pin != nil {
			c.pin(r)
		}
		c.start.lean(r, b.Class, rect, c.opts.Trust)
		inside, score, stability, err := c.cut(r)
		if err != nil {
			return gen.Mask{}, err
		}
		fill, reach := coverage(inside, r.rect, rect)
		switch {
		case fill >= c.opts.MinFill && reach >= c.opts.MinReach && fill > 0:
			m.Score, m.Stability = score, stability
			if fill > 0.99 {
				m.Note = "the cut fills the box"
			}
		case weight > 0 && weight < maxPrior:
			continue
		default:
			c.gaveWay = true
			m.Note = fmt.Sprintf("the cut kept %.0f %% of the box: replaced by an ellipse", 100*fill)
			m.Score = min(score, 0.5)
			for i := range inside {
				inside[i] = 0
				if x, y := i%r.rect.Dx()+r.rect.Min.X, i/r.rect.Dx()+r.rect.Min.Y; inEllipse(rect, x, y) {
					inside[i] = 1
				}
			}
		}
		m.Bits = c.mask(r, inside)
		return m, nil
	}
}

// around is a box with the surroundings that show its background.
func (c *cutter) around(rect image.Rectangle) image.Rectangle {
	margin := max(8, int(c.opts.Margin*float64(max(rect.Dx(), rect.Dy()))))
	return rect.Inset(-margin).Intersect(c.img.Rect)
}

// maxPrior is the weight of place beyond which a cut would only repeat it.
const maxPrior = 8

// coverage is the share of the box's pixels that the cut kept, and the share
// of its sides, the shorter one, that the cut's own bounding box spans. inside
// are the pixels of region.
func coverage(inside []uint8, region, box image.Rectangle) (fill, reach float64) {
	area := 0
	var bounds image.Rectangle
	for i, v := range inside {
		if v == 0 {
			continue
		}
		area++
		p := image.Pt(i%region.Dx(), i/region.Dx())
		if !p.In(bounds) {
			bounds = bounds.Union(image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))})
		}
	}
	fill = float64(area) / float64(box.Dx()*box.Dy())
	reach = min(float64(bounds.Dx())/float64(box.Dx()), float64(bounds.Dy())/float64(box.Dy()))
	return fill, reach
}

// occupy opens the pixels of the box, each with the prior of its place times
// weight.
func (c *cutter) occupy(r *region, box image.Rectangle, weight float64) {
	w := r.rect.Dx()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			i := (y-r.rect.Min.Y)*w + x - r.rect.Min.X
			odds := float32(weight) * occupancy(box, x, y)
			r.prior[i] = odds
			r.trimap[i] = ProbFgd
			if odds < 0 {
				r.trimap[i] = ProbBgd
			}
		}
	}
}

// occupancy is the log odds that the pixel at (x, y) of a tight box belongs to
// its object.
func occupancy(box image.Rectangle, x, y int) float32 {
	u, v := place(box, x, y)
	return float32(1.7 - 2*(u*u+v*v))
}

// place maps a pixel's centre to −1..1 across the box.
func place(box image.Rectangle, x, y int) (u, v float64) {
	u = (2*float64(x-box.Min.X)+1)/float64(box.Dx()) - 1
	v = (2*float64(y-box.Min.Y)+1)/float64(box.Dy()) - 1
	return u, v
}

// inEllipse tells whether the pixel lies in the ellipse that the box holds; a
// box always has at least its centre inside.
func inEllipse(box image.Rectangle, x, y int) bool {
	if !image.Pt(x, y).In(box) {
		return false
	}
	u, v := place(box, x, y)
	return math.Hypot(u, v) <= 1 || image.Pt(x, y) == box.Min.Add(box.Max).Div(2)
}
