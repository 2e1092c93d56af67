package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"GridSample": gridSample}) }

// sampler holds one GridSample of x [N, C, H, W] at P places per image.
type sampler struct {
	b       *builder
	table   *value // [N·H·W, C]: one row per pixel
	base    *value // [N, 1] int64: first row of each image
	padding string
	align   bool
	sizes   [2]int // W, H
}

// gridSample reads pixels at fractional places: a gather of the neighbours of
// each place and their weighted sum.
func gridSample(b *builder, n *node) []*value {
	x, grid := arg(n, 0), arg(n, 1)
	if x.Rank() != 4 || grid.Rank() != 4 || grid.Dims[3] != 2 || grid.Dims[0] != x.Dims[0] {
		legalise.Failf("input %v, grid %v: only two-dimensional images", x.Dims, grid.Dims)
	}
	batch, c, h, w := x.Dims[0], x.Dims[1], x.Dims[2], x.Dims[3]
	first := table[int](batch)
	for i := range first {
		first[i] = i * h * w
	}
	s := &sampler{
		b:       b,
		table:   b.Reshape(b.Transpose(x, 0, 2, 3, 1), batch*h*w, c),
		base:    b.ConstInts(legalise.Int64, []int{batch, 1}, first...),
		padding: n.Str("padding_mode", "zeros"),
		align:   n.Int("align_corners", 0) != 0,
		sizes:   [2]int{w, h},
	}
	places := b.Reshape(grid, batch, -1, 2)
	px := s.pixels(b.Reshape(b.Slice(places, 2, 0, 1), batch, -1), 0)
	py := s.pixels(b.Reshape(b.Slice(places, 2, 1, 2), batch, -1), 1)
	var y *value
	switch mode := n.Str("mode", "bilinear"); mode {
	case "bilinear", "linear":
		y = s.sum(linearTaps(b, s.inside(px, 0)), linearTaps(b, s.inside(py, 1)))
	case "nearest":
		y = s.sum(nearestTap(b, s.inside(px, 0)), nearestTap(b, s.inside(py, 1)))
	case "bicubic", "cubic":
		y = s.sum(cubicTaps(b, px), cubicTaps(b, py))
	default:
		legalise.Failf("mode %q", mode)
	}
	y = b.Transpose(y, 0, 2, 1)
	return one(b.Reshape(y, batch, c, grid.Dims[1], grid.Dims[2]))
}

// pixels maps −1 … 1 to pixel coordinates along axis 0 (x) or 1 (y).
func (s *sampler) pixels(g *value, axis int) *value {
	b, d := s.b, float64(s.sizes[axis])
	g = add(b, g, like(b, g, 1))
	if s.align {
		return scale(b, g, (d-1)/2)
	}
	return scale(b, sub(b, scale(b, g, d), like(b, g, 1)), 0.5)
}

// inside brings places outside the image back, unless they count as zero.
func (s *sampler) inside(p *value, axis int) *value {
	d := float64(s.sizes[axis])
	switch s.padding {
	case "zeros":
		return p
	case "border":
		return clampTo(s.b, p, 0, d-1)
	case "reflection":
		return clampTo(s.b, s.reflect(p, d), 0, d-1)
	}
	legalise.Failf("padding_mode %q", s.padding)
	return nil
}

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

func linearTaps(b *builder, p *value) []tap {
	low := b.Op("Floor", nil, p)
	frac := sub(b, p, low)
	return []tap{{low, sub(b, like(b, p, 1), frac)}, {add(b, low, like(b, p, 1)), frac}}
}

func nearestTap(b *builder, p *value) []tap { return []tap{{at: b.Op("Round", nil, p)}} }

// cubicTaps weighs four neighbours by Keys' kernel with a = −0.75.
func cubicTaps(b *builder, p *value) []tap {
	const a = -0.75
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
		taps = append(taps, tap{add(b, low, like(b, p, float64(i))), w})
	}
	return taps
}

// sum adds up the pixels at all pairs of taps: [N, P, C].
func (s *sampler) sum(xs, ys []tap) *value {
	b := s.b
	var total *value
	for _, ty := range ys {
		row, wy := s.index(ty, 1)
		for _, tx := range xs {
			col, wx := s.index(tx, 0)
			at := add(b, add(b, scaleInt(b, row, s.sizes[0]), col), s.base)
			v := b.Op("Gather", attrs{"axis": int64(0)}, s.table, at)
			if w := product(b, wx, wy); w != nil {
				v = mul(b, v, b.Op("Unsqueeze", nil, w, b.List(2)))
			}
			if total == nil {
				total = v
			} else {
				total = add(b, total, v)
			}
		}
	}
	return total
}

func scaleInt(b *builder, v *value, k int) *value {
	return mul(b, v, b.ConstInts(legalise.Int64, nil, k))
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

// index returns a tap's pixel index, int64 and always valid, and its weight,
// zero where the tap lies outside of a zero-padded image.
func (s *sampler) index(t tap, axis int) (*value, *value) {
	b, d := s.b, float64(s.sizes[axis])
	at, w := t.at, t.weight
	if s.padding == "reflection" {
		at = s.reflect(at, d)
	}
	in := clampTo(b, at, 0, d-1)
	if s.padding == "zeros" {
		hit := b.Cast(b.Op("Equal", nil, at, in), at.DType)
		w = product(b, w, hit)
	}
	return b.Cast(in, legalise.Int64), w
}
