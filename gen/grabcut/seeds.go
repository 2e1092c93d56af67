package grabcut

import (
	"image"
	"math"
	"slices"

	"wsss/data"
	"wsss/data/weaken"
	"wsss/gen"
)

// classSeeds are the human marks of one class: open polylines, a point being
// one of length one. Class 0 is background.
type classSeeds struct {
	class int
	lines [][]image.Point
}

// seeds are all marks of an image, classes ascending.
type seeds struct {
	source string // "point" or "scribble"
	marks  []classSeeds
}

func pointSeeds(points []data.Point) seeds {
	s := seeds{source: "point"}
	for _, p := range points {
		s.add(p.Class, []image.Point{image.Pt(p.X, p.Y)})
	}
	return s
}

func strokeSeeds(strokes []data.Scribble) seeds {
	s := seeds{source: "scribble"}
	for _, k := range strokes {
		if len(k.Points) > 0 {
			s.add(k.Class, k.Points)
		}
	}
	return s
}

func (s *seeds) add(class int, line []image.Point) {
	at, found := slices.BinarySearchFunc(s.marks, class, func(m classSeeds, c int) int { return m.class - c })
	if !found {
		s.marks = slices.Insert(s.marks, at, classSeeds{class: class})
	}
	s.marks[at].lines = append(s.marks[at].lines, line)
}

// unmarked is the value of seedMap pixels without a mark.
const unmarked = -1

// seedMap draws the marks with the given radius: the position in s.marks of
// the class that each pixel was marked with, or unmarked. Where discs overlap
// the nearest mark wins.
func (s *seeds) seedMap(bounds image.Rectangle, radius int) []int16 {
	w := bounds.Dx()
	owner := make([]int16, w*bounds.Dy())
	nearest := make([]int32, len(owner))
	for i := range owner {
		owner[i], nearest[i] = unmarked, math.MaxInt32
	}
	for k, mark := range s.marks {
		for _, line := range mark.lines {
			walk(line, func(p image.Point) {
				disc := image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))}.Inset(-radius).Intersect(bounds)
				for y := disc.Min.Y; y < disc.Max.Y; y++ {
					for x := disc.Min.X; x < disc.Max.X; x++ {
						d := int32((x-p.X)*(x-p.X) + (y-p.Y)*(y-p.Y))
						if i := y*w + x; d <= int32(radius*radius) && d < nearest[i] {
							owner[i], nearest[i] = int16(k), d
						}
					}
				}
			})
		}
	}
	return owner
}

// walk visits the pixels of an open polyline.
func walk(line []image.Point, f func(image.Point)) {
	if len(line) == 1 {
		f(line[0])
	}
	for i := 1; i < len(line); i++ {
		weaken.Line(line[i-1], line[i], f)
	}
}

// seeds cuts one mask per marked class: its own marks are object, all other
// marks background. Which pixels start as object, and a prior for all, comes
// from the geodesic distances to the own marks and to the others; the image's
// frame counts as background there, softly, for background marks show one
// part of the background only.
func (c *cutter) seeds(s seeds) ([]gen.Mask, error) {
	bounds := c.img.Rect
	radius := max(1, int(c.opts.Radius*math.Sqrt(float64(bounds.Dx()*bounds.Dy()))))
	owner := s.seedMap(bounds, radius)
	far := c.distances(s, owner)
	var masks []gen.Mask
	for k, mark := range s.marks {
		if mark.class == 0 || !slices.Contains(owner, int16(k)) {
			continue
		}
		r := newRegion(bounds)
		far.fill(r, k, float32(c.opts.Prior))
		c.start.lean(r, mark.class, bounds, c.opts.Trust)
		for i, o := range owner {
			switch {
			case int(o) == k:
				r.trimap[i] = Fgd
			case o != unmarked:
				r.trimap[i] = Bgd
			}
		}
		inside, score, stability, err := c.cut(r)
		if err != nil {
			return nil, err
		}
		masks = append(masks, gen.Mask{
			Class: mark.class, Bits: c.mask(r, inside), Score: score, Stability: stability,
			From: gen.Prompt{Class: mark.class, Points: s.prompt(k), Source: s.source, Score: 1},
		})
	}
	return masks, nil
}

// prompt lists the corners of the class's marks, then those of the background.
func (s *seeds) prompt(k int) (points []data.Point) {
	for j, mark := range s.marks {
		if j != k && mark.class != 0 {
			continue
		}
		for _, line := range mark.lines {
			for _, p := range line {
				points = append(points, data.Point{X: p.X, Y: p.Y, Class: mark.class})
			}
		}
	}
	slices.SortStableFunc(points, func(a, b data.Point) int { return b.Class - a.Class })
	return points
}

// fields are the geodesic distances to each class's marks, and to the image's
// frame, on a raster of 1/shrink of the image.
type fields struct {
	w, shrink int
	to        [][]float32 // one per mark, then the frame's
}

func (c *cutter) distances(s seeds, owner []int16) fields {
	bounds := c.img.Rect
	f := fields{shrink: c.shrink(bounds)}
	c.solver.Load(c.img, bounds, f.shrink)
	f.w = c.solver.W
	w, h := c.solver.W, c.solver.H
	small := make([]int16, w*h) // the mark of each block, the first where it holds several
	for i := range small {
		small[i] = unmarked
	}
	for i, o := range owner {
		b := i/bounds.Dx()/f.shrink*w + i%bounds.Dx()/f.shrink
		if o != unmarked && small[b] == unmarked {
			small[b] = o
		}
	}
	for k := range s.marks {
		f.to = append(f.to, geodesic(c.solver.rgb, w, h, func(i int) bool { return small[i] == int16(k) }))
	}
	f.to = append(f.to, geodesic(c.solver.rgb, w, h, func(i int) bool {
		x, y := i%w, i/w
		return small[i] == unmarked && (x == 0 || y == 0 || x == w-1 || y == h-1)
	}))
	return f
}

// maxSeedPrior bounds the log odds that distance to the marks can give.
const maxSeedPrior = 3

// fill sets the region's prior for class k, the log of how much nearer its
// marks are than any other, and the first guess that follows from it.
func (f fields) fill(r *region, k int, weight float32) {
	w := r.rect.Dx()
	for i := range r.prior {
		b := i/w/f.shrink*f.w + i%w/f.shrink
		other := float32(math.Inf(1))
		for j, to := range f.to {
			if j != k {
				other = min(other, to[b])
			}
		}
		odds := math.Log(float64(other+1)) - math.Log(float64(f.to[k][b]+1))
		odds = max(-maxSeedPrior, min(maxSeedPrior, odds))
		r.prior[i] = weight * float32(odds)
		r.trimap[i] = ProbBgd
		if odds > 0 {
			r.trimap[i] = ProbFgd
		}
	}
}
