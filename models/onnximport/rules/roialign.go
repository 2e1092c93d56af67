package rules

import "wsss/models/onnximport/legalise"

func init() { register(map[string]legalise.Rule{"RoiAlign": roiAlign}) }

// roiAlign averages, for each bin of each region of interest, what the image
// holds at sampling_ratio² places, read bilinearly.
func roiAlign(b *builder, n *node) []*value {
	x, rois, images := arg(n, 0), arg(n, 1), arg(n, 2)
	if x.Rank() != 4 || rois.Rank() != 2 || rois.Dims[1] != 4 || images.Len() != rois.Dims[0] {
		legalise.Failf("input %v, regions %v of images %v", x.Dims, rois.Dims, images.Dims)
	}
	if mode := n.Str("mode", "avg"); mode != "avg" {
		legalise.Failf("mode %q", mode)
	}
	ratio := n.Int("sampling_ratio", 0)
	if ratio < 1 || ratio > 64 {
		legalise.Failf("sampling_ratio %d: the places then depend on the regions", ratio)
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
	k := 2 * ratio
	ys, wy = b.Reshape(ys, r.n, oh, 1, k, 1), b.Reshape(wy, r.n, oh, 1, k, 1)
	xs, wx = b.Reshape(xs, r.n, 1, ow, 1, k), b.Reshape(wx, r.n, 1, ow, 1, k)
	dtype := legalise.Float
	if batch*h*w > exact {
		dtype = legalise.Double
	}
	first := b.Reshape(scale(b, b.Cast(images, dtype), float64(h*w)), r.n, 1, 1, 1, 1)
	at := add(b, add(b, scale(b, b.Cast(ys, dtype), float64(w)), b.Cast(xs, dtype)), first)
	weights := scale(b, mul(b, wy, wx), 1/float64(ratio*ratio))
	table := b.Reshape(b.Transpose(x, 0, 2, 3, 1), batch*h*w, c)
	y := b.Op("GatherSum", nil, table, b.Reshape(at, r.n*oh*ow, k*k), b.Reshape(weights, r.n*oh*ow, k*k))
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

// axis gives along one axis, for each region and bin, the whole coordinates of
// the 2·ratio neighbours of its places and their weights, [n, bins, 2·ratio].
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
	steps := table[float64](bins * r.ratio)
	for i := range steps {
		steps[i] = (float64(i/r.ratio) + (float64(i%r.ratio)+0.5)/float64(r.ratio)) / float64(bins)
	}
	p := add(b, from, mul(b, long, b.ConstFloats(legalise.Float, []int{1, len(steps)}, steps...)))
	inside := b.Op("Where", nil, b.Op("Less", nil, p, like(b, p, -1)), like(b, p, 0), like(b, p, 1))
	inside = b.Op("Where", nil, b.Op("Greater", nil, p, like(b, p, float64(side))), like(b, p, 0), inside)
	last := float64(side - 1)
	p = clampTo(b, p, 0, last)
	low := b.Op("Floor", nil, p)
	next := b.Op("Min", nil, add(b, low, like(b, p, 1)), like(b, p, last))
	frac := sub(b, p, low)
	join := func(u, v *value) *value {
		return b.Concat(2, b.Reshape(u, r.n, bins, r.ratio), b.Reshape(v, r.n, bins, r.ratio))
	}
	return join(low, next), join(mul(b, sub(b, like(b, p, 1), frac), inside), mul(b, frac, inside))
}
