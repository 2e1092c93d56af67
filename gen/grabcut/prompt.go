package grabcut

import (
	"context"
	"fmt"
	"image"
	"math"
	"sync"

	"wsss/data"
	"wsss/gen"
)

// Look keeps the image: GrabCut has nothing to compute before the first prompt.
func (m *method) Look(_ context.Context, s *data.Sample) (gen.Looked, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("grabcut needs the image, and it has no pixels")
	}
	l := &looked{method: m, img: s.Image, reduced: map[int]*image.NRGBA{}}
	l.contrast = sync.OnceValue(func() float32 { return contrast(s.Image) })
	return l, nil
}

type looked struct {
	*method
	img      *image.NRGBA
	mu       sync.Mutex
	reduced  map[int]*image.NRGBA // by how much; see Draft
	contrast func() float32
}

// Mask cuts one object out: by its box, in which points are certain, or by its
// points alone.
func (l *looked) Mask(ctx context.Context, p gen.Prompt) (gen.Mask, error) {
	solver := l.solvers.Get().(*Solver)
	defer l.solvers.Put(solver)
	c := &cutter{ctx: ctx, opts: l.opts, seed: l.env.Seed, solver: solver, img: l.img}
	out, err := c.prompt(p)
	out.Class, out.From = p.Class, p
	return out, err
}

// prompt cuts the object of a prompt out of the cutter's image. It may have no
// pixels.
func (c *cutter) prompt(p gen.Prompt) (gen.Mask, error) {
	if p.Box != nil {
		rect := p.Box.Rect().Intersect(c.img.Rect)
		if rect.Empty() {
			return c.nothing(), nil
		}
		return c.boxed(*p.Box, rect, p)
	}
	const in, other = 1, 0
	s := seeds{source: p.Source}
	for _, q := range p.Points {
		class := other
		if q.Class == p.Class {
			class = in
		}
		s.add(class, []image.Point{{X: q.X, Y: q.Y}})
	}
	masks, err := c.seeds(s)
	if err != nil {
		return gen.Mask{}, err
	}
	if len(masks) == 0 { // points out of it alone
		return c.nothing(), nil
	}
	return masks[0], nil
}

// nothing is an empty mask.
func (c *cutter) nothing() gen.Mask {
	w, h := c.img.Rect.Dx(), c.img.Rect.Dy()
	return gen.Mask{Bits: data.EncodeRLE(make([]uint8, w*h), w, h)}
}

// boxed is box with points that are certain: discs of the radius of points.
func (c *cutter) boxed(b data.Box, rect image.Rectangle, p gen.Prompt) (gen.Mask, error) {
	if len(p.Points) > 0 {
		radius := max(1, int(c.opts.Radius*math.Sqrt(float64(c.img.Rect.Dx()*c.img.Rect.Dy()))))
		c.pin = func(r *region) {
			for _, q := range p.Points {
				label := uint8(Bgd)
				if q.Class == p.Class {
					label = Fgd
				}
				r.disc(image.Pt(q.X, q.Y), radius, label)
			}
		}
		defer func() { c.pin = nil }()
	}
	return c.box(b, rect)
}

// disc settles the pixels around a point.
func (r *region) disc(at image.Point, radius int, label uint8) {
	w := r.rect.Dx()
	d := image.Rectangle{Min: at, Max: at.Add(image.Pt(1, 1))}.Inset(-radius).Intersect(r.rect)
	for y := d.Min.Y; y < d.Max.Y; y++ {
		for x := d.Min.X; x < d.Max.X; x++ {
			if (x-at.X)*(x-at.X)+(y-at.Y)*(y-at.Y) <= radius*radius {
				r.trimap[(y-r.rect.Min.Y)*w+x-r.rect.Min.X] = label
			}
		}
	}
}
