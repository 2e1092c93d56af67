package rules

import "wsss/models/onnximport/legalise"

func init() { register(map[string]legalise.Rule{"RoiAlign": roiAlign}) }

// roiAlign averages, for each bin of each region of interest, what the image
// holds at sampling_ratio² places, read bilinearly. For a ratio of 0 a bin has about
// a place per pixel, so that their number follows from the region: as many are read
// as one of the image's size has, and those too many weigh nothing. A region larger than the
// image gets no more.
func roiAlign(b *builder, n *node) []*value {
	x, rois, images := arg(n, 0), arg(n, 1), arg(n, 2)
	if x.Rank() != 4 || rois.Rank() != 2 || rois.Dims[1] != 4 || images.Len() != rois.Dims[0] {
		legalise.Failf("input %v, regions %v of images %v", x.Dims, rois.Dims, images.Dims)
	}
	if mode := n.Str("mode", "avg"); mode != "avg" {
		legalise.Failf("mode %q", mode)
	}
	ratio := n.Int("sampling_ratio", 0)
	if ratio < 0 || ratio > 64 {
		legalise.Failf("sampling_ratio %d: allowed are 0 to 64", ratio)
	}
	batch, c, h, w := x.Dims[0], x.Dims[1], x.Dims[2], x.Dims[3]
	r := regions{b: b, x: x, n: rois.Dims[0], ratio: ratio, scale: n.Float("spatial_scale", 1)}
	standard := "half_pixel"
	if b.Opset() < 16 {
		standard = "output_half_pixel"
	}
	r.half = n.Str("coordinate_transformation_mode", standard) == "half_pixel"
	columns := b.Transpose(b.Cast(rois, legalise.Float), 1, 0)
	corner := func(i int) *value { return b.Reshape(b.Slice(columns, 0, i, i+1), r.n, 1) }
	oh, ow := n.Int("output_height", 1), n.Int("output_width", 1)
	if oh < 1 || ow < 1 {
		legalise.Failf("an output of %d×%d", oh, ow)
	}
	ys, wy := r.axis(corner(1), corner(3), oh, h)
	xs, wx := r.axis(corner(0), corner(2), ow, w)
	// [region, bin down, bin across, tap down, tap across]
	ky, kx := ys.Dims[2], xs.Dims[2]
	ys, wy = b.Reshape(ys, r.n, oh, 1, ky, 1), b.Reshape(wy, r.n, oh, 1, ky, 1)
	xs, wx = b.Reshape(xs, r.n, 1, ow, 1, kx), b.Reshape(wx, r.n, 1, ow, 1, kx)
	dtype := legalise.Float
	if batch*h*w > exact {
		dtype = legalise.Double
	}
	first := b.Reshape(scale(b, b.Cast(images, dtype), float64(h*w)), r.n, 1, 1, 1, 1)
	at := add(b, add(b, scale(b, b.Cast(ys, dtype), float64(w)), b.Cast(xs, dtype)), first)
	weights := mul(b, wy, wx)
	table := b.Reshape(b.Transpose(x, 0, 2, 3, 1), batch*h*w, c)
	y := b.Op("GatherSum", nil, table, b.Reshape(at, r.n*oh*ow, ky*kx), b.Reshape(weights, r.n*oh*ow, ky*kx))
	return one(b.Transpose(b.Reshape(y, r.n, oh, ow, c), 0, 3, 1, 2))
}

// regions are those of one RoiAlign.
type regions struct {
	b        *builder
	x        *value
	n, ratio int
	scale    float64
	half     bool // pixel centres lie at halves
}

// places are the places along one axis in bins of regions, by their number in a bin.
type places struct {
	most  int    // in a bin
	at    *value // share of the region, [1 or n, bins · most]
	count *value // in a bin of each region, [n, 1]; nil: most
}

func (r regions) places(long *value, bins, side int) places {
	b := r.b
	if r.ratio > 0 {
		steps := table[float64](bins * r.ratio)
		for i := range steps {
			steps[i] = (float64(i/r.ratio) + (float64(i%r.ratio)+0.5)/float64(r.ratio)) / float64(bins)
		}
		return places{most: r.ratio, at: b.ConstFloats(legalise.Float, []int{1, len(steps)}, steps...)}
	}
	p := places{most: (side + bins - 1) / bins}
	bin, place := table[float64](bins*p.most), table[float64](bins*p.most)
	for i := range bin {
		bin[i], place[i] = float64(i/p.most), float64(i%p.most)+0.5
	}
	p.count = b.Op("Min", nil, b.Op("Ceil", nil, scale(b, long, 1/float64(bins))), like(b, long, float64(p.most)))
	row := func(v []float64) *value { return b.ConstFloats(legalise.Float, []int{1, len(v)}, v...) }
	p.at = scale(b, add(b, row(bin), b.Op("Div", nil, row(place), b.Op("Max", nil, p.count, like(b, long, 1)))), 1/float64(bins))
	return p
}

// mean are the weights that take the mean over the places of a bin, [1 or n, bins ·
// most] or one number.
func (r regions) mean(p places, bins int) *value {
	b := r.b
	if p.count == nil {
		return b.ConstFloats(legalise.Float, nil, 1/float64(p.most))
	}
	place := table[float64](bins * p.most)
	for i := range place {
		place[i] = float64(i % p.most)
	}
	index := b.ConstFloats(legalise.Float, []int{1, len(place)}, place...)
	each := b.Op("Div", nil, like(b, p.count, 1), b.Op("Max", nil, p.count, like(b, p.count, 1)))
	return b.Op("Where", nil, b.Op("Less", nil, index, p.count), each, like(b, p.count, 0))
}

// axis gives along one axis, for each region and bin, the whole coordinates of
// the two neighbours of its places and their weights, [n, bins, 2 · places].
func (r regions) axis(from, to *value, bins, side int) (at, weight *value) {
	b := r.b
	from, to = scale(b, from, r.scale), scale(b, to, r.scale)
	if r.half {
		from, to = sub(b, from, like(b, from, 0.5)), sub(b, to, like(b, to, 0.5))
	}
	long := sub(b, to, from)
	if !r.half {
		long = b.Op("Max", nil, long, like(b, long, 1))
	}
	taken := r.places(long, bins, side)
	p := add(b, from, mul(b, long, taken.at))
	inside := b.Op("Where", nil, b.Op("Less", nil, p, like(b, p, -1)), like(b, p, 0), like(b, p, 1))
	inside = b.Op("Where", nil, b.Op("Greater", nil, p, like(b, p, float64(side))), like(b, p, 0), inside)
	inside = mul(b, inside, r.mean(taken, bins))
	last := float64(side - 1)
	p = clampTo(b, p, 0, last)
	low := b.Op("Floor", nil, p)
	next := b.Op("Min", nil, add(b, low, like(b, p, 1)), like(b, p, last))
	frac := sub(b, p, low)
	join := func(u, v *value) *value {
		return b.Concat(2, b.Reshape(u, r.n, bins, taken.most), b.Reshape(v, r.n, bins, taken.most))
	}
	return join(low, next), join(mul(b, sub(b, like(b, p, 1), frac), inside), mul(b, frac, inside))
}
