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

// box cuts the object out of one box. All outside the box is background.
func (c *cutter) box(b data.Box, rect image.Rectangle) (gen.Mask, error) {
	margin := max(8, int(c.opts.Margin*float64(max(rect.Dx(), rect.Dy()))))
	r := newRegion(rect.Inset(-margin).Intersect(c.img.Rect))
	c.occupy(r, rect)
	inside, score, stability, err := c.cut(r)
	if err != nil {
		return gen.Mask{}, err
	}
	m := gen.Mask{
		Class: b.Class, Score: score, Stability: stability,
		From: gen.Prompt{Class: b.Class, Box: &b, Source: "box", Score: 1},
	}
	area := 0
	for _, v := range inside {
		area += int(v)
	}
	switch fill := float64(area) / float64(rect.Dx()*rect.Dy()); {
	case fill < c.opts.MinFill || area == 0:
		m.Note = fmt.Sprintf("the cut kept %.0f %% of the box: replaced by an ellipse", 100*fill)
		m.Score, m.Stability = min(m.Score, 0.5), 0
		for i := range inside {
			inside[i] = 0
			if x, y := i%r.rect.Dx()+r.rect.Min.X, i/r.rect.Dx()+r.rect.Min.Y; inEllipse(rect, x, y) {
				inside[i] = 1
			}
		}
	case fill > 0.99:
		m.Note = "the cut fills the box"
	}
	m.Bits = c.mask(r, inside)
	return m, nil
}

// occupy opens the pixels of the box, each with the prior of its place.
func (c *cutter) occupy(r *region, box image.Rectangle) {
	w := r.rect.Dx()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			i := (y-r.rect.Min.Y)*w + x - r.rect.Min.X
			odds := float32(c.opts.Prior) * occupancy(box, x, y)
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
