package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"GridSample": gridSample}) }

// sampler holds one GridSample of x [N, C, H, W] at P places per image. What
// lies outside counts as zero where the image got a border of zeros, of rim
// pixels, and is held at that.
type sampler struct {
	b       *builder
	table   *value // [N·H·W, C]: one row per pixel
	padding string
	align   bool
	sizes   [2]int // W, H
	rim     int
}

// gridSample reads pixels at fractional places: the weighted sum of the
// neighbours of each.
func gridSample(b *builder, n *node) []*value {
	x, grid := arg(n, 0), arg(n, 1)
	if x.Rank() != 4 || grid.Rank() != 4 || grid.Dims[3] != 2 || grid.Dims[0] != x.Dims[0] {
		legalise.Failf("input %v, grid %v: only two-dimensional images", x.Dims, grid.Dims)
	}
	if was := x.DType; was != legalise.Float || grid.DType != legalise.Float { // exporters leave grids double
		in := []*value{b.Cast(x, legalise.Float), b.Cast(grid, legalise.Float)}
		return one(b.Cast(b.Op("GridSample", n.Attrs, in...), was))
	}
	batch, c := x.Dims[0], x.Dims[1]
	s := &sampler{b: b, padding: n.Str("padding_mode", "zeros"), align: n.Int("align_corners", 0) != 0}
	x = b.Transpose(x, 0, 2, 3, 1)
	if s.padding == "zeros" {
		s.rim = 2 // as far as a cubic kernel reaches
		x = b.Op("Pad", nil, x, b.List(0, s.rim, s.rim, 0, 0, s.rim, s.rim, 0))
	}
	h, w := x.Dims[1], x.Dims[2]
	s.sizes = [2]int{w, h}
	s.table = b.Reshape(x, batch*h*w, c)
	places := b.Transpose(b.Reshape(grid, -1, 2), 1, 0) // engines are slow at slices of single numbers
	px := s.pixels(b.Reshape(b.Slice(places, 0, 0, 1), batch, -1), 0)
	py := s.pixels(b.Reshape(b.Slice(places, 0, 1, 2), batch, -1), 1)
	var taps func(p *value, axis int) []tap
	switch mode := n.Str("mode", "bilinear"); mode {
	case "bilinear", "linear":
		taps = s.linearTaps
	case "nearest":
		taps = s.nearestTap
	case "bicubic", "cubic":
		taps = s.cubicTaps
	default:
		legalise.Failf("mode %q", mode)
	}
	r := &reading{b: b, table: s.table, xs: taps(px, 0), ys: s.rows(taps(py, 1), batch)}
	y := b.Transpose(b.Reshape(r.sum(nil, 1), batch, -1, c), 0, 2, 1)
	b.Note(y, r)
	return one(b.Reshape(y, batch, c, grid.Dims[1], grid.Dims[2]))
}

// pixels maps −1 … 1 to pixel coordinates along axis 0 (x) or 1 (y), rounding as
// ONNX Runtime does: of many queries with nearly the same score, those that are
// chosen depend on it.
func (s *sampler) pixels(g *value, axis int) *value {
	b, d := s.b, float64(s.sizes[axis]-2*s.rim)
	g = add(b, g, like(b, g, 1))
	if s.align {
		return scale(b, g, (d-1)/2)
	}
	return scale(b, sub(b, scale(b, g, d), like(b, g, 1)), 0.5)
}

// inside brings places outside the image back.
func (s *sampler) inside(p *value, axis int) *value {
	switch s.padding {
	case "zeros", "border":
		return s.clamp(p, axis)
	case "reflection":
		return s.clamp(s.reflect(p, float64(s.sizes[axis])), axis)
	}
	legalise.Failf("padding_mode %q", s.padding)
	return nil
}

func (s *sampler) clamp(p *value, axis int) *value {
	return clampTo(s.b, p, float64(-s.rim), s.last(axis))
}

// last is the last coordinate along an axis; that of the image's first pixel is 0.
func (s *sampler) last(axis int) float64 { return float64(s.sizes[axis] - 1 - s.rim) }

func clampTo(b *builder, p *value, lo, hi float64) *value {
	return b.Op("Min", nil, b.Op("Max", nil, p, like(b, p, lo)), like(b, p, hi))
}

// reflect mirrors at the centres of the border pixels, or at their outer
// edges where corners are not aligned.
func (s *sampler) reflect(p *value, d float64) *value {
	b, low, span := s.b, -0.5, d
	if s.align {
		low, span = 0, d-1
	}
	if span <= 0 {
		return scale(b, p, 0)
	}
	off := b.Op("Abs", nil, sub(b, p, like(b, p, low)))
	// Distance to the nearest multiple of two spans is the mirrored offset.
	turns := b.Op("Floor", nil, add(b, scale(b, off, 0.5/span), like(b, p, 0.5)))
	return add(b, b.Op("Abs", nil, sub(b, off, scale(b, turns, 2*span))), like(b, p, low))
}

// tap is one neighbour along an axis: its whole coordinate and its weight,
// both [N, P] floats; nil weight means 1.
type tap struct{ at, weight *value }

func (s *sampler) linearTaps(p *value, axis int) []tap {
	b := s.b
	p = s.inside(p, axis)
	low := b.Op("Floor", nil, p)
	next := b.Op("Min", nil, add(b, low, like(b, p, 1)), like(b, p, s.last(axis)))
	frac := sub(b, p, low)
	return []tap{{low, sub(b, like(b, p, 1), frac)}, {next, frac}}
}

func (s *sampler) nearestTap(p *value, axis int) []tap {
	return []tap{{at: s.b.Op("Round", nil, s.inside(p, axis))}}
}

// cubicTaps weighs four neighbours by Keys' kernel with a = −0.75.
func (s *sampler) cubicTaps(p *value, axis int) []tap {
	const a = -0.75
	b := s.b
	if s.padding == "zeros" {
		p = s.inside(p, axis)
	}
	low := b.Op("Floor", nil, p)
	frac := sub(b, p, low)
	var taps []tap
	for i := -1; i <= 2; i++ {
		t := b.Op("Abs", nil, sub(b, frac, like(b, p, float64(i))))
		c := [4]float64{1, 0, -(a + 3), a + 2}
		if i == -1 || i == 2 {
			c = [4]float64{-4 * a, 8 * a, -5 * a, a}
		}
		w := like(b, p, c[3])
		for k := 2; k >= 0; k-- {
			w = add(b, mul(b, w, t), like(b, p, c[k]))
		}
		taps = append(taps, tap{s.inside(add(b, low, like(b, p, float64(i))), axis), w})
	}
	return taps
}

// exact bounds the whole numbers that float32 holds all of.
const exact = 1 << 24

// rows makes the y coordinates of taps numbers of rows of the table, to which
// the x coordinates are added.
func (s *sampler) rows(taps []tap, batch int) []tap {
	b, line, pixels := s.b, s.sizes[0], s.sizes[1]*s.sizes[0]
	first := table[float64](batch)
	for i := range first {
		first[i] = float64(i*pixels + s.rim*line + s.rim)
	}
	for i, t := range taps {
		at := t.at
		if s.table.Dims[0] > exact {
			at = b.Cast(at, legalise.Double)
		}
		taps[i].at = add(b, scale(b, at, float64(line)), b.ConstFloats(at.DType, []int{batch, 1}, first...))
	}
	return taps
}

// reading is the sum of rows of a table [R, C] at P places of N images: for
// each pair of taps, the row of the numbers' sum by the product of the weights.
type reading struct {
	b      *builder
	table  *value
	xs, ys []tap
}

// sum is [N·P/group, C]: what is read at group places together is added up,
// times the factors [N, P] where given.
func (r *reading) sum(factors *value, group int) *value {
	b := r.b
	var index, weights []*value
	for _, ty := range r.ys {
		wy := product(b, ty.weight, factors)
		for _, tx := range r.xs {
			at := add(b, ty.at, b.Cast(tx.at, ty.at.DType))
			index = append(index, b.Reshape(at, -1, group))
			if w := product(b, wy, tx.weight); w != nil {
				weights = append(weights, b.Reshape(w, -1, group))
			}
		}
	}
	if weights == nil {
		return b.Op("Gather", attrs{"axis": int64(0)}, r.table, b.Cast(b.Reshape(index[0], -1), legalise.Int64))
	}
	return b.Op("GatherSum", nil, r.table, b.Concat(1, index...), b.Concat(1, weights...))
}

func product(b *builder, x, y *value) *value {
	switch {
	case x == nil:
		return y
	case y == nil:
		return x
	}
	return mul(b, x, y)
}
