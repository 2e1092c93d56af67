// Package affinity spreads class scores by a random walk whose steps follow
// given affinities between near pixels: the inference of IRN, from a map of
// class boundaries, and of AffinityNet (PSA), from features (docs/sources.md §11.2,
// §11.3). Both raise a dense transition matrix to the power 2^squarings; the
// same product is made here by as many sparse steps, in memory proportional to
// the number of pixels.
package affinity

import (
	"fmt"
	"math"
)

// Options of a walk.
type Options struct {
	Radius    int     `toml:"radius"`    // pixels affect each other nearer than this; 5 in IRN and PSA
	Beta      float64 `toml:"beta"`      // affinities are raised to this power: IRN 10, PSA 8
	Squarings int     `toml:"squarings"` // the walk has 2^squarings steps; 8 in IRN and PSA
}

// IRN are the values of IRN (docs/sources.md §11.2).
func IRN() Options { return Options{Radius: 5, Beta: 10, Squarings: 8} }

// PSA are the values of AffinityNet (docs/sources.md §11.3).
func PSA() Options { return Options{Radius: 5, Beta: 8, Squarings: 8} }

// PSAAlpha is the exponent of its background's score.
const PSAAlpha = 16.0

// Validate names the first key that is out of range.
func (o Options) Validate() error {
	switch {
	case o.Radius < 2 || o.Radius > 32:
		return fmt.Errorf("radius = %d: allowed are 2..32", o.Radius)
	case !(o.Beta > 0 && o.Beta <= 1000):
		return fmt.Errorf("beta = %v: allowed are numbers in (0, 1000]", o.Beta)
	case o.Squarings < 0 || o.Squarings > 16:
		return fmt.Errorf("squarings = %d: allowed are 0..16", o.Squarings)
	}
	return nil
}

// Graph joins every pixel of a w×h raster with those nearer than the radius.
type Graph struct {
	w, h  int
	steps int
	pairs []pair
	inv   []float32 // 1 / sum of a pixel's affinities, its own of 1 included
}

// pair holds the affinities of every pixel (x, y) with (x+dx, y+dy).
type pair struct {
	dx, dy int
	a      []float32 // 0 where the other pixel lies outside
}

// FromEdges builds the graph of a boundary map, w·h strengths in 0..1,
// row-major: the affinity of two pixels is 1 minus the greatest strength on
// the line between them, both included.
func FromEdges(edges []float32, w, h int, o Options) (*Graph, error) {
	if len(edges) != w*h {
		return nil, fmt.Errorf("affinity: %d edge strengths for %d×%d pixels", len(edges), w, h)
	}
	for i, e := range edges {
		if !(e >= 0 && e <= 1) {
			return nil, fmt.Errorf("affinity: edge strength %v at pixel (%d,%d): allowed are 0..1", e, i%w, i/w)
		}
	}
	return build(w, h, o, func(dx, dy int) func(x, y int) float32 {
		line := path(dx, dy)
		return func(x, y int) float32 {
			var top float32
			for _, p := range line {
				top = max(top, edges[(y+p[1])*w+x+p[0]])
			}
			return 1 - top
		}
	})
}

// FromFeatures builds the graph of a feature map [channel, h, w]: the affinity
// of two pixels is exp(−mean |difference|).
func FromFeatures(features []float32, channels, w, h int, o Options) (*Graph, error) {
	n := w * h
	if channels < 1 || len(features) != channels*n {
		return nil, fmt.Errorf("affinity: %d features for %d channels of %d×%d pixels", len(features), channels, w, h)
	}
	return build(w, h, o, func(dx, dy int) func(x, y int) float32 {
		return func(x, y int) float32 {
			i, j := y*w+x, (y+dy)*w+x+dx
			var sum float64
			for c := 0; c < len(features); c += n {
				sum += math.Abs(float64(features[c+i] - features[c+j]))
			}
			return float32(math.Exp(-sum / float64(channels)))
		}
	})
}

// path lists the offsets (x, y) that the line to (dx, dy) passes: those in its
// rectangle that lie less than one pixel from it.
func path(dx, dy int) (line [][2]int) {
	for y := min(0, dy); y <= max(0, dy); y++ {
		for x := min(0, dx); x <= max(0, dx); x++ {
			if off := dy*x - dx*y; off*off < dx*dx+dy*dy {
				line = append(line, [2]int{x, y})
			}
		}
	}
	return line
}

// build fills the graph; at returns, for an offset, the affinity of (x, y) with
// the pixel that far away.
func build(w, h int, o Options, at func(dx, dy int) func(x, y int) float32) (*Graph, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("affinity: %w", err)
	}
	g := &Graph{w: w, h: h, steps: 1 << o.Squarings}
	sum := make([]float32, w*h)
	for i := range sum {
		sum[i] = 1
	}
	for dy := 0; dy < o.Radius; dy++ {
		for dx := -o.Radius + 1; dx < o.Radius; dx++ {
			// Half of the neighbours: the other half is the same pairs.
			if dx*dx+dy*dy >= o.Radius*o.Radius || dy == 0 && dx <= 0 {
				continue
			}
			p := pair{dx, dy, make([]float32, w*h)}
			affinity := at(dx, dy)
			for y := 0; y < h-dy; y++ {
				for x := max(0, -dx); x < w-max(0, dx); x++ {
					a := float32(math.Pow(float64(affinity(x, y)), o.Beta))
					p.a[y*w+x] = a
					sum[y*w+x] += a
					sum[(y+dy)*w+x+dx] += a
				}
			}
			g.pairs = append(g.pairs, p)
		}
	}
	g.inv = sum
	for i, s := range sum {
		g.inv[i] = 1 / s
	}
	return g, nil
}

// Walk spreads one map of w·h scores: every step makes each score the mean of
// those around it, weighed by affinity. The map is not changed.
func (g *Graph) Walk(scores []float32) []float32 {
	now, next := append([]float32(nil), scores...), make([]float32, len(scores))
	for range g.steps {
		copy(next, now)
		for _, p := range g.pairs {
			for y := 0; y < g.h-p.dy; y++ {
				from, to := y*g.w+max(0, -p.dx), y*g.w+g.w-max(0, p.dx)
				if from >= to {
					continue
				}
				shift := p.dy*g.w + p.dx
				a, near, far := p.a[from:to], now[from:to], now[from+shift:to+shift]
				intoNear, intoFar := next[from:to], next[from+shift:to+shift]
				for i, v := range a {
					intoNear[i] += v * far[i]
					intoFar[i] += v * near[i]
				}
			}
		}
		for i, v := range g.inv {
			next[i] *= v
		}
		now, next = next, now
	}
	return now
}
