package grabcut

import (
	"context"
	"image"
	"slices"

	"wsss/data"
	"wsss/data/fastexp"
	"wsss/gen"
)

// Draft answers as Mask does (gen.Drafter), in a time that hardly depends on
// the image's size: all cuts are made on a reduced image, which the first prompt
// leaves ready for the next, and only the pixels along the outline are cut again
// at their own size.
func (l *looked) Draft(ctx context.Context, p gen.Prompt) (gen.Mask, error) {
	f := l.reduction(&p)
	if f == 1 {
		return l.Mask(ctx, p)
	}
	solver := l.solvers.Get().(*Solver)
	defer l.solvers.Put(solver)
	c := &cutter{ctx: ctx, opts: l.opts, seed: l.env.Seed, solver: solver, img: l.reducedBy(f)}
	c.opts.MaxSide = 0
	out, err := c.prompt(reducedPrompt(p, f))
	if err != nil {
		return out, err
	}
	o := outline{img: l.img, solver: solver, f: f, within: l.img.Rect}
	if p.Box != nil {
		o.within = p.Box.Rect().Intersect(l.img.Rect)
	}
	var inside []uint8
	switch {
	case c.gaveWay:
		inside = ellipse(o.within, l.img.Rect)
	case out.Bits.Area() > 0:
		inside = o.cut(out.Bits.Decode(), c.last, l.contrast())
	default:
		inside = make([]uint8, l.img.Rect.Dx()*l.img.Rect.Dy())
	}
	out.Bits = data.EncodeRLE(inside, l.img.Rect.Dx(), l.img.Rect.Dy())
	out.Class, out.From = p.Class, p
	return out, nil
}

// reduction is by how much the image is reduced for a prompt: as Mask's first
// cuts are.
func (l *looked) reduction(p *gen.Prompt) int {
	c := cutter{opts: l.opts, img: l.img}
	r := l.img.Rect
	if p.Box != nil {
		if rect := p.Box.Rect().Intersect(r); !rect.Empty() {
			r = c.around(rect)
		}
	}
	return c.shrink(r)
}

// reducedBy is the image averaged over f×f blocks.
func (l *looked) reducedBy(f int) *image.NRGBA {
	l.mu.Lock()
	defer l.mu.Unlock()
	if small := l.reduced[f]; small != nil {
		return small
	}
	w, h := l.img.Rect.Dx(), l.img.Rect.Dy()
	small := image.NewNRGBA(image.Rect(0, 0, (w+f-1)/f, (h+f-1)/f))
	sums := make([][3]int, small.Rect.Dx())
	for by := range small.Rect.Dy() {
		clear(sums)
		y1 := min(h, by*f+f)
		for y := by * f; y < y1; y++ {
			row := l.img.Pix[y*l.img.Stride:][:w*4]
			for x := range w {
				s := &sums[x/f]
				s[0] += int(row[x*4])
				s[1] += int(row[x*4+1])
				s[2] += int(row[x*4+2])
			}
		}
		for bx, s := range sums {
			n := (y1 - by*f) * (min(w, bx*f+f) - bx*f)
			copy(small.Pix[by*small.Stride+bx*4:], []uint8{uint8((s[0] + n/2) / n), uint8((s[1] + n/2) / n), uint8((s[2] + n/2) / n), 255})
		}
	}
	l.reduced[f] = small
	return small
}

// reducedPrompt is a prompt on the image at 1/f.
func reducedPrompt(p gen.Prompt, f int) gen.Prompt {
	if b := p.Box; b != nil {
		k := float32(f)
		p.Box = &data.Box{X0: b.X0 / k, Y0: b.Y0 / k, X1: b.X1 / k, Y1: b.Y1 / k, Class: b.Class}
	}
	p.Points = slices.Clone(p.Points)
	for i := range p.Points {
		p.Points[i].X /= f
		p.Points[i].Y /= f
	}
	return p
}

// ellipse is the mask of the ellipse that a box holds.
func ellipse(box, bounds image.Rectangle) []uint8 {
	inside := make([]uint8, bounds.Dx()*bounds.Dy())
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			if inEllipse(box, x, y) {
				inside[y*bounds.Dx()+x] = 1
			}
		}
	}
	return inside
}

// contrast is β of an image's edges, from every second row.
func contrast(img *image.NRGBA) float32 {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	var sum, n int64
	for y := 0; y < h; y += 2 {
		for x := range w {
			for k := range forward {
				nx, ny := x+forward[k].dx, y+forward[k].dy
				if nx >= 0 && nx < w && ny < h {
					sum += int64(difference(img, x, y, nx, ny))
					n++
				}
			}
		}
	}
	if sum == 0 {
		return 0
	}
	return float32(float64(n) / (2 * float64(sum)))
}

// difference is the squared distance of two pixels' colours.
func difference(img *image.NRGBA, x, y, nx, ny int) int {
	a, b := img.Pix[y*img.Stride+x*4:][:3], img.Pix[ny*img.Stride+nx*4:][:3]
	r, g, bl := int(a[0])-int(b[0]), int(a[1])-int(b[1]), int(a[2])-int(b[2])
	return r*r + g*g + bl*bl
}

// outline moves the outline of a cut of a reduced image to the pixels of the
// image, with the colours and the prior that the solver ended with.
type outline struct {
	img    *image.NRGBA
	solver *Solver
	f      int             // by how much the image was reduced
	within image.Rectangle // nothing beyond is inside
}

// cut takes the cut of the reduced image, and the part of it that the solver
// has loaded. It returns a mask of the image.
func (o *outline) cut(small []uint8, loaded image.Rectangle, beta float32) []uint8 {
	w, h, f := o.img.Rect.Dx(), o.img.Rect.Dy(), o.f
	sw, sh := (w+f-1)/f, (h+f-1)/f
	inside := make([]uint8, w*h)
	for y := o.within.Min.Y; y < o.within.Max.Y; y++ {
		row := small[y/f*sw:]
		for x := o.within.Min.X; x < o.within.Max.X; x++ {
			inside[y*w+x] = row[x/f]
		}
	}
	// Blocks along the outline are open, but for those that the prompt settles.
	open := make([]bool, sw*sh)
	var blocks image.Rectangle
	for by := loaded.Min.Y; by < loaded.Max.Y; by++ {
		for bx := loaded.Min.X; bx < loaded.Max.X; bx++ {
			t := o.solver.trimap[(by-loaded.Min.Y)*o.solver.W+bx-loaded.Min.X]
			if t != Bgd && t != Fgd && nearBorder(small, sw, sh, bx, by) {
				open[by*sw+bx] = true
				blocks = blocks.Union(image.Rect(bx, by, bx+1, by+1))
			}
		}
	}
	if blocks.Empty() {
		return inside
	}
	at := image.Rectangle{Min: blocks.Min.Mul(f), Max: blocks.Max.Mul(f)}.Inset(-1).Intersect(o.img.Rect)
	isOpen := func(x, y int) bool { return open[y/f*sw+x/f] && image.Pt(x, y).In(o.within) }
	grid := &o.solver.grid
	grid.Reset(at.Dx(), at.Dy())
	o.edges(at, isOpen, inside, beta)
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			if isOpen(x, y) {
				o.weigh(at, x, y, o.solver.prior[(y/f-loaded.Min.Y)*o.solver.W+x/f-loaded.Min.X])
			}
		}
	}
	grid.MaxFlow()
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			if isOpen(x, y) {
				inside[y*w+x] = 0
				if grid.OnSourceSide(x-at.Min.X, y-at.Min.Y) {
					inside[y*w+x] = 1
				}
			}
		}
	}
	return inside
}

// edges joins open pixels to their neighbours, and those of them that are
// settled to their side for good. All others stay out of the cut.
func (o *outline) edges(at image.Rectangle, isOpen func(x, y int) bool, inside []uint8, beta float32) {
	w, gamma, grid := o.img.Rect.Dx(), o.solver.Gamma, &o.solver.grid
	settle := func(x, y int) {
		from, to := int32(0), int32(9*gamma*unit)
		if inside[y*w+x] != 0 {
			from, to = to, from
		}
		grid.SetTerminal(x-at.Min.X, y-at.Min.Y, from, to)
	}
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			here := isOpen(x, y)
			for k := range forward {
				nx, ny := x+forward[k].dx, y+forward[k].dy
				if !image.Pt(nx, ny).In(at) {
					continue
				}
				there := isOpen(nx, ny)
				if !here && !there {
					continue
				}
				weight := float32(gamma*unit/forward[k].length) * fastexp.Rough(-beta*float32(difference(o.img, x, y, nx, ny)))
				grid.SetEdge(x-at.Min.X, y-at.Min.Y, forward[k].dir, int32(weight))
				if !here {
					settle(x, y)
				}
				if !there {
					settle(nx, ny)
				}
			}
		}
	}
}

// weigh gives an open pixel the log odds of its colour and place.
func (o *outline) weigh(at image.Rectangle, x, y int, prior float32) {
	s := o.solver
	odds := prior
	if s.model[0].n > 0 && s.model[1].n > 0 {
		p := o.img.Pix[y*o.img.Stride+x*4:][:3]
		r, g, b := float32(p[0]), float32(p[1]), float32(p[2])
		bg, _ := s.model[0].logDensity(r, g, b)
		fg, _ := s.model[1].logDensity(r, g, b)
		odds += fg - bg
	}
	most := 9 * float32(s.Gamma)
	c := int32(max(-most, min(most, odds)) * unit)
	s.grid.SetTerminal(x-at.Min.X, y-at.Min.Y, max(c, 0), max(-c, 0))
}
