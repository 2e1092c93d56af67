// Package affinity spreads class scores by a random walk whose steps follow
// given affinities between near pixels: the inference of IRN, from a map of
// class boundaries, and of AffinityNet (PSA), from features (docs/sources.md §11.2,
// §11.3). Both raise a dense transition matrix to the power 2^squarings; the
// same product is made here by as many sparse ones (walk.go), in memory proportional
// to the number of pixels.
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
	return build(w, h, o, func(dx, dy int) func(from int, out []float32) {
		line := path(dx, dy)
		return func(from int, out []float32) {
			clear(out)
			for _, p := range line {
				for i, e := range edges[from+p[1]*w+p[0]:][:len(out)] {
					out[i] = max(out[i], e)
				}
			}
			for i, top := range out {
				out[i] = 1 - top
			}
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
	sum := make([]float64, w)
	return build(w, h, o, func(dx, dy int) func(from int, out []float32) {
		return func(from int, out []float32) {
			sum := sum[:len(out)]
			clear(sum)
			for c := 0; c < len(features); c += n {
				far := features[c+from+dy*w+dx:][:len(out)]
				for i, v := range features[c+from:][:len(out)] {
					sum[i] += math.Abs(float64(v - far[i]))
				}
			}
			for i, s := range sum {
				out[i] = float32(math.Exp(-s / float64(channels)))
			}
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
