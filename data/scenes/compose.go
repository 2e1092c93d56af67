package scenes

import (
	"image"
	"math"

	"wsss/data"
)

// maxObjects is the largest number of objects in a scene.
const maxObjects = 4

// The limits of a pose: how much of an object must be inside the picture and
// unhidden, and how much of the picture it must fill.
const (
	minInside  = 0.7
	minVisible = 0.55
	minFill    = 0.012
)

// scene is one rendered picture with its truth.
type scene struct {
	image     *image.NRGBA
	truth     *data.LabelMap // classes, Ignore on the outlines
	instances *data.LabelMap // 0, or object number 1..; no void
	truncated []bool         // per object number-1: reaches over the border
	occluded  []bool         // per object number-1: partly hidden by another
}

// compose draws the scene of one seed; numClasses counts the background.
func compose(seed uint64, cfg Config, numClasses int) *scene {
	r := &rng{state: seed}
	w := cfg.MinSize + r.intn(cfg.MaxSize-cfg.MinSize+1)
	h := cfg.MinSize + r.intn(cfg.MaxSize-cfg.MinSize+1)
	side := float64(min(w, h))
	c := newCanvas(w, h)
	back := backdrop(r)
	for range r.intn(4) {
		at := point{r.float() * float64(w), r.float() * float64(h)}
		where := place(at, side*r.between(0.04, 0.15), r.between(0, 2*math.Pi), r.between(0.8, 1.25), 0, false)
		c.add([]part{clutter(r)}, where, 0)
	}
	crowd := &crowd{canvas: c, owner: make([]uint8, len(c.top)), stamp: make([]int, len(c.top)), back: back}
	// One in six scenes has a single object; most have two or three.
	for range [6]int{1, 2, 2, 3, 3, maxObjects}[r.intn(6)] {
		crowd.join(r, 1+r.intn(numClasses-1))
	}
	light := newLamp(r)
	img, instances := c.render(back, light)
	return crowd.finish(img, instances)
}

// crowd are the objects placed so far.
type crowd struct {
	canvas    *canvas
	owner     []uint8 // per sample: object number
	stamp     []int   // per sample: the last attempt that touched it
	attempt   int
	classes   []uint8
	poses     []placed
	visible   []int // samples
	whole     []int // samples inside the picture
	truncated []bool
	back      material
}

// join tries poses for one more object until it fits; a scene too full gets
// none, but the first object always finds a place.
func (g *crowd) join(r *rng, label int) {
	kind := &classes[label-1]
	side := float64(min(g.canvas.w, g.canvas.h))
	for range 30 {
		radius := side * r.between(0.17, 0.38)
		at := point{r.between(0.1, 0.9) * float64(g.canvas.w), r.between(0.1, 0.9) * float64(g.canvas.h)}
		if len(g.poses) > 0 && r.chance(0.45) {
			// Beside another one, so that objects hide parts of each other.
			near := g.poses[r.intn(len(g.poses))]
			sin, cos := math.Sincos(r.between(0, 2*math.Pi))
			reach := (near.radius + radius) * r.between(0.55, 0.8)
			at = point{near.at.x + cos*reach, near.at.y + sin*reach}
		}
		where := place(at, radius, r.between(-kind.turn, kind.turn), r.between(0.88, 1.14), r.between(-0.12, 0.12), r.chance(0.5))
		parts := kind.draw(r, g.contrasting(r, kind, where))
		if g.fits(parts, where) {
			g.classes = append(g.classes, uint8(label))
			g.poses = append(g.poses, where)
			g.canvas.add(parts, where, uint8(len(g.classes)))
			return
		}
	}
}

// contrasting draws the object's colour, a few times over where it is lost
// against the backdrop.
func (g *crowd) contrasting(r *rng, kind *class, where placed) rgb {
	unit := 1 / float64(min(g.canvas.w, g.canvas.h))
	var mean rgb
	const n = 5
	for i := range n * n {
		p := where.apply(point{float64(i%n)/2 - 1, float64(i/n)/2 - 1})
		c := g.back(p.x*unit, p.y*unit)
		for k := range mean {
			mean[k] += c[k] / (n * n)
		}
	}
	best, far := rgb{}, -1.0
	for range 6 {
		c := kind.tints[r.intn(len(kind.tints))].draw(r)
		if d := c.distance(mean); d > far {
			best, far = c, d
		}
		if far > 95 {
			break
		}
	}
	return best
}

// fits claims the samples of an object if that leaves it and every other one
// visible enough.
func (g *crowd) fits(parts []part, where placed) bool {
	c := g.canvas
	var inside []int
	g.attempt++
	hidden := make([]int, len(g.visible))
	for _, p := range parts {
		c.spans(p, where, func(y, x0, x1 int) {
			for x := x0; x < x1; x++ {
				i := y*c.w*sub + x
				if g.stamp[i] == g.attempt {
					continue
				}
				g.stamp[i] = g.attempt
				inside = append(inside, i)
				if n := g.owner[i]; n > 0 {
					hidden[n-1]++
				}
			}
		})
	}
	if float64(len(inside)) < minFill*float64(len(c.top)) {
		return false
	}
	for k, n := range hidden {
		left := float64(g.visible[k] - n)
		if left < minVisible*float64(g.whole[k]) || left < minFill*float64(len(c.top)) {
			return false
		}
	}
	full := c.area(parts, where)
	if float64(len(inside)) < minInside*full {
		return false
	}
	for k, n := range hidden {
		g.visible[k] -= n
	}
	number := uint8(len(g.classes) + 1)
	for _, i := range inside {
		g.owner[i] = number
	}
	g.visible = append(g.visible, len(inside))
	g.whole = append(g.whole, len(inside))
	g.truncated = append(g.truncated, float64(len(inside)) < 0.985*full)
	return true
}

// area is how many samples an object would fill on an endless canvas.
func (c *canvas) area(parts []part, where placed) float64 {
	// Draw it in the middle of a canvas that holds it whole.
	size := int(math.Ceil(3.2 * where.radius))
	where.at = point{float64(size) / 2, float64(size) / 2}
	big := &canvas{w: size, h: size}
	covered := make([]bool, size*size*sub*sub)
	n := 0
	for _, p := range parts {
		big.spans(p, where, func(y, x0, x1 int) {
			for i := y*size*sub + x0; i < y*size*sub+x1; i++ {
				if !covered[i] {
					covered[i] = true
					n++
				}
			}
		})
	}
	return float64(n)
}

func (g *crowd) finish(img *image.NRGBA, instances *data.LabelMap) *scene {
	s := &scene{image: img, instances: instances, truncated: g.truncated}
	for k := range g.classes {
		s.occluded = append(s.occluded, g.visible[k] < g.whole[k])
	}
	s.truth = instances.Clone()
	for i, n := range instances.Pix {
		if n > 0 {
			s.truth.Pix[i] = g.classes[n-1]
		}
	}
	outline(s.truth, instances)
	return s
}

// outline sets a band of void along the objects' outlines: 5 pixels wide at
// VOC's 500, in proportion here, at least 1 either side.
func outline(truth, instances *data.LabelMap) {
	w, h := truth.W, truth.H
	half := max(1, (max(w, h)*5+500)/1000)
	for y := range h {
		for x := range w {
			n := instances.At(x, y)
		window:
			for v := max(0, y-half); v <= min(h-1, y+half); v++ {
				for u := max(0, x-half); u <= min(w-1, x+half); u++ {
					if instances.At(u, v) != n {
						truth.Set(x, y, data.Ignore)
						break window
					}
				}
			}
		}
	}
}
