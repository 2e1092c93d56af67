package scenes

import (
	"image"
	"math"
	"sort"

	"wsss/data"
)

// sub is the supersampling: sub×sub samples per pixel give smooth edges and
// exact occlusion.
const sub = 4

// fixed is the precision of vertices, in parts of a sample. Rounding to it
// keeps the class of every pixel free of last-bit differences between machines
// (fused multiply-add, libm).
const fixed = 64

// placed is an affine map from an object's coordinates to pixels.
type placed struct {
	a, b, c, d float64 // x = a·u + b·v + at.x, y = c·u + d·v + at.y
	at         point
	radius     float64
}

func place(at point, radius, turn, stretch, shear float64, flip bool) placed {
	sin, cos := math.Sincos(turn)
	sx, sy := radius*stretch, radius/stretch
	if flip {
		sx = -sx
	}
	return placed{
		a: cos * sx, b: (cos*shear - sin) * sy,
		c: sin * sx, d: (sin*shear + cos) * sy,
		at: at, radius: radius,
	}
}

func (m placed) apply(p point) point {
	return point{m.a*p.x + m.b*p.y + m.at.x, m.c*p.x + m.d*p.y + m.at.y}
}

func (m placed) invert(x, y float64) (u, v float64) {
	det := m.a*m.d - m.b*m.c
	x, y = x-m.at.x, y-m.at.y
	return (m.d*x - m.b*y) / det, (m.a*y - m.c*x) / det
}

// layer is a painted part on the canvas.
type layer struct {
	paint    paint
	where    placed
	instance uint8 // 0: background clutter
}

// canvas holds, per sample, the number of the topmost layer; 0 is the backdrop.
type canvas struct {
	w, h   int // pixels
	top    []uint16
	layers []layer // layers[0] is unused
}

func newCanvas(w, h int) *canvas {
	return &canvas{w: w, h: h, top: make([]uint16, w*h*sub*sub), layers: make([]layer, 1)}
}

// spans calls f for every run of samples that a placed part covers: row y,
// columns x0 <= x < x1, clipped to the canvas.
func (c *canvas) spans(p part, where placed, f func(y, x0, x1 int)) {
	type edge struct{ x0, y0, x1, y1 int64 }
	var edges []edge
	low, high := int64(c.h*sub*fixed), int64(0)
	for _, outline := range p.outlines {
		vertex := func(i int) (int64, int64) {
			q := where.apply(outline[i%len(outline)])
			return int64(math.Round(q.x * sub * fixed)), int64(math.Round(q.y * sub * fixed))
		}
		x0, y0 := vertex(0)
		for i := 1; i <= len(outline); i++ {
			x1, y1 := vertex(i)
			low, high = min(low, y0), max(high, y0)
			if y0 < y1 {
				edges = append(edges, edge{x0, y0, x1, y1})
			} else if y0 > y1 {
				edges = append(edges, edge{x1, y1, x0, y0})
			}
			x0, y0 = x1, y1
		}
	}
	var cross []int64
	first, last := max(0, int(low/fixed)-1), min(c.h*sub-1, int(high/fixed)+1)
	for row := first; row <= last; row++ {
		y := int64(row)*fixed + fixed/2
		cross = cross[:0]
		for _, e := range edges {
			if e.y0 <= y && y < e.y1 {
				cross = append(cross, e.x0+(e.x1-e.x0)*(y-e.y0)/(e.y1-e.y0))
			}
		}
		sort.Slice(cross, func(i, j int) bool { return cross[i] < cross[j] })
		for i := 0; i+1 < len(cross); i += 2 {
			x0 := max(0, int((cross[i]+fixed/2)/fixed))
			x1 := min(c.w*sub, int((cross[i+1]+fixed/2)/fixed))
			if cross[i+1] > 0 && x0 < x1 {
				f(row, x0, x1)
			}
		}
	}
}

// add paints parts over everything so far.
func (c *canvas) add(parts []part, where placed, instance uint8) {
	for _, p := range parts {
		c.layers = append(c.layers, layer{p.paint, where, instance})
		n := uint16(len(c.layers) - 1)
		c.spans(p, where, func(y, x0, x1 int) {
			row := c.top[y*c.w*sub:]
			for x := x0; x < x1; x++ {
				row[x] = n
			}
		})
	}
}

// render averages the samples of every pixel into a colour, and says which
// instance (0: none) most of them show.
func (c *canvas) render(back material, lamp lamp) (*image.NRGBA, *data.LabelMap) {
	img := image.NewNRGBA(image.Rect(0, 0, c.w, c.h))
	instances := data.NewLabelMap(c.w, c.h)
	unit := 1 / float64(min(c.w, c.h))
	for y := range c.h {
		for x := range c.w {
			var share [maxObjects + 1]int
			sum := rgb{}
			c.each(x, y, func(n uint16, count int) {
				px, py := float64(x)+0.5, float64(y)+0.5
				var col rgb
				if n == 0 {
					col = back(px*unit, py*unit)
				} else {
					l := &c.layers[n]
					u, v := l.where.invert(px, py)
					col = l.paint.at(u, v, l.where.toward(lamp.from))
				}
				share[c.layers[n].instance] += count
				for k := range sum {
					sum[k] += float64(count) * col[k]
				}
			})
			best := 0
			for n, s := range share {
				if s > share[best] {
					best = n
				}
			}
			instances.Set(x, y, uint8(best))
			lamp.develop(img, x, y, sum.scale(1.0/(sub*sub)))
		}
	}
	return img, instances
}

// each calls f for the different layers that a pixel's samples show.
func (c *canvas) each(x, y int, f func(n uint16, count int)) {
	var seen [sub * sub]uint16
	var counts [sub * sub]int
	kinds := 0
	for dy := range sub {
		row := c.top[(y*sub+dy)*c.w*sub+x*sub:]
	samples:
		for dx := range sub {
			for k := range kinds {
				if seen[k] == row[dx] {
					counts[k]++
					continue samples
				}
			}
			seen[kinds], counts[kinds] = row[dx], 1
			kinds++
		}
	}
	for k := range kinds {
		f(seen[k], counts[k])
	}
}

// toward turns a direction on the picture into the object's coordinates.
func (m placed) toward(light point) point {
	u, v := m.invert(m.at.x+light.x*m.radius, m.at.y+light.y*m.radius)
	n := math.Hypot(u, v)
	return point{u / n, v / n}
}

// lamp is the light and the camera of a scene.
type lamp struct {
	from     point // unit vector towards the light
	slope    float64
	exposure rgb
	grain    float64
	seed     uint64
}

func newLamp(r *rng) lamp {
	sin, cos := math.Sincos(r.between(-math.Pi, 0)) // from above
	l := lamp{from: point{cos, sin}, slope: r.between(0, 0.3), grain: r.between(2, 9), seed: r.next()}
	level := r.between(0.82, 1.12)
	for k := range l.exposure {
		l.exposure[k] = level * r.between(0.95, 1.05)
	}
	return l
}

// develop turns light into a pixel: slope of the light, exposure, grain.
func (l lamp) develop(img *image.NRGBA, x, y int, c rgb) {
	size := img.Rect.Size()
	gx, gy := float64(x)/float64(size.X)-0.5, float64(y)/float64(size.Y)-0.5
	level := 1 + l.slope*(gx*l.from.x+gy*l.from.y)
	i := img.PixOffset(x, y)
	for k := range c {
		h := data.Mix(l.seed ^ uint64(y)<<32 ^ uint64(x)<<2 ^ uint64(k))
		// The sum of two uniform values: nearly bell-shaped.
		g := float64(h&0xffff+h>>16&0xffff)/0xffff - 1
		v := c[k]*level*l.exposure[k] + 1.7*l.grain*g
		img.Pix[i+k] = uint8(min(max(v+0.5, 0), 255))
	}
	img.Pix[i+3] = 255
}
