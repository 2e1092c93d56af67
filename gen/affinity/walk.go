package affinity

import (
	"fmt"
	"math"
)

// block is how many pixels a step computes at a time, in registers.
const block = 32

// Graph joins every pixel of a w×h raster with those nearer than the radius. It is
// a matrix with a diagonal for each offset between two pixels, on a raster with a
// margin of zeros, so that each diagonal meets a plain run of pixels.
type Graph struct {
	w, h   int
	steps  int
	margin int
	// weights are the diagonals, block by block of pixels, [blocks][len(shifts)][block]:
	// the part of a pixel's next score that is that of the pixel shifts[k] further on.
	weights []float32
	shifts  []int
}

// width is that of a row with its margins, first the place of the first pixel.
func (g *Graph) width() int { return g.w + 2*g.margin }
func (g *Graph) first() int { return g.margin*g.width() + g.margin }

// blocks cover the rows of the raster.
func (g *Graph) blocks() int { return (g.h*g.width() + block - 1) / block }

// size is the length of a raster with its margins and what blocks reach beyond.
func (g *Graph) size() int { return 2*g.first() + g.blocks()*block }

// build fills the graph; at returns, for an offset, what writes the affinities of a
// run of pixels from one on, in one row, with the pixels that far away.
func build(w, h int, o Options, at func(dx, dy int) func(from int, out []float32)) (*Graph, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("affinity: %w", err)
	}
	g := &Graph{w: w, h: h, steps: 1 << o.Squarings, margin: o.Radius - 1, shifts: []int{0}}
	pairs := halves(o.Radius)
	for _, p := range pairs {
		shift := p[1]*g.width() + p[0]
		g.shifts = append(g.shifts, shift, -shift)
	}
	g.weights = make([]float32, g.blocks()*len(g.shifts)*block)
	sum, row := make([]float32, w*h), make([]float32, w)
	for i := range sum {
		sum[i] = 1 // a pixel's own affinity
		*g.weight(i, 0) = 1
	}
	for k, p := range pairs {
		dx, dy := p[0], p[1]
		affinities := at(dx, dy)
		for y := 0; y < h-dy; y++ {
			from, to := max(0, -dx), w-max(0, dx)
			if from >= to {
				continue
			}
			affinities(y*w+from, row[:to-from])
			for i, a := range row[:to-from] {
				a = float32(math.Pow(float64(a), o.Beta))
				near, far := y*w+from+i, (y+dy)*w+from+i+dx
				*g.weight(near, 1+2*k), *g.weight(far, 2+2*k) = a, a
				sum[near] += a
				sum[far] += a
			}
		}
	}
	for i, s := range sum {
		for k := range g.shifts {
			*g.weight(i, k) /= s
		}
	}
	return g, nil
}

// halves lists half of the offsets nearer than the radius, x and y: those of the
// other half are the same pairs.
func halves(radius int) (list [][2]int) {
	for dy := 0; dy < radius; dy++ {
		for dx := -radius + 1; dx < radius; dx++ {
			if dx*dx+dy*dy < radius*radius && (dy > 0 || dx > 0) {
				list = append(list, [2]int{dx, dy})
			}
		}
	}
	return list
}

// weight is that of a pixel's diagonal k.
func (g *Graph) weight(pixel, k int) *float32 {
	at := pixel/g.w*g.width() + pixel%g.w
	return &g.weights[(at/block*len(g.shifts)+k)*block+at%block]
}

// Walk spreads one map of w·h scores: every step makes each score the mean of
// those around it, weighed by affinity. The map is not changed.
func (g *Graph) Walk(scores []float32) []float32 { return g.WalkAll([][]float32{scores})[0] }

// WalkAll is Walk of several maps, which is faster than one by one.
func (g *Graph) WalkAll(maps [][]float32) [][]float32 {
	now, next := make([][]float32, len(maps)), make([][]float32, len(maps))
	for c, scores := range maps {
		now[c], next[c] = make([]float32, g.size()), make([]float32, g.size())
		for y := range g.h {
			copy(now[c][g.first()+y*g.width():], scores[y*g.w:(y+1)*g.w])
		}
	}
	per := len(g.shifts) * block
	for range g.steps {
		for b := range g.blocks() {
			weights, at := g.weights[b*per:(b+1)*per], g.first()+b*block
			for c := range maps {
				step((*[block]float32)(next[c][at:]), now[c], at, g.shifts, weights)
			}
		}
		now, next = next, now
	}
	out := make([][]float32, len(maps))
	for c := range out {
		for y := range g.h {
			at := g.first() + y*g.width()
			out[c] = append(out[c], now[c][at:at+g.w]...)
		}
	}
	return out
}

// stepGeneric sets y to the scores of a block of pixels, which begin at a place of
// x, after a step. Product and sum are rounded apart, on every processor.
func stepGeneric(y *[block]float32, x []float32, at int, shifts []int, weights []float32) {
	*y = [block]float32{}
	for k, shift := range shifts {
		w, v := (*[block]float32)(weights[k*block:]), (*[block]float32)(x[at+shift:])
		for i := range y {
			y[i] += float32(w[i] * v[i])
		}
	}
}
