package rules

// bilinear is a linear Resize of maps [batch, channels, height, width] whose steps
// are those of ONNX Runtime, rounded one by one: each place is the sum of its four
// neighbours, each times its weight. Two matrix products, one per axis, are faster
// and as exact; but where the result is quantised by its own range, a last digit
// that rounds otherwise makes another byte, which the next layers make more of.
func bilinear(b *builder, x *value, r resizer) (*value, bool) {
	if x.Rank() != 4 || r.mode != "linear" || r.antialias {
		return nil, false
	}
	for axis := range 2 {
		if out, scale := r.target(axis, x.Dims[axis]); out != x.Dims[axis] || scale != 1 {
			return nil, false
		}
	}
	rows, ok := r.neighbours(2, x.Dims[2])
	if !ok {
		return nil, false
	}
	cols, ok := r.neighbours(3, x.Dims[3])
	if !ok {
		return nil, false
	}
	part := func(row, col int) *value {
		weights := table[float64](square(len(rows.at[row]), len(cols.at[col])))
		for i := range weights {
			weights[i] = float64(rows.weight[row][i/len(cols.at[col])] * cols.weight[col][i%len(cols.at[col])])
		}
		from := b.Op("Gather", attrs{"axis": int64(2)}, x, b.List(rows.at[row]...))
		from = b.Op("Gather", attrs{"axis": int64(3)}, from, b.List(cols.at[col]...))
		return mul(b, from, b.ConstFloats(x.DType, []int{len(rows.at[row]), len(cols.at[col])}, weights...))
	}
	sum := part(0, 0)
	for _, p := range [][2]int{{0, 1}, {1, 0}, {1, 1}} {
		sum = add(b, sum, part(p[0], p[1]))
	}
	return sum, true
}

// neighbours are the two places of an axis that a place of the result lies between,
// and their weights.
type neighbours struct {
	at     [2][]int
	weight [2][]float32
}

// neighbours is false for an axis that is not resized like ONNX Runtime's maps.
func (r resizer) neighbours(axis, d int) (n neighbours, ok bool) {
	out, scale := r.target(axis, d)
	if d < 1 || out < 1 || out > tableLimit {
		return n, false
	}
	for i := range out {
		x, ok := r.source32(i, d, out, float32(scale))
		if !ok {
			return n, false
		}
		x = min(max(x, 0), float32(d-1))
		low := min(int(x), d-1)
		high := min(low+1, d-1)
		near, far := float32(0.5), float32(0.5)
		if low != high {
			near, far = float32(high)-x, x-float32(low)
		}
		n.at[0], n.at[1] = append(n.at[0], low), append(n.at[1], high)
		n.weight[0], n.weight[1] = append(n.weight[0], near), append(n.weight[1], far)
	}
	return n, true
}

// source32 is source in float32; the conversions keep a compiler from joining
// steps. It is false for coordinates that are not mapped this way.
func (r resizer) source32(i, d, out int, scale float32) (float32, bool) {
	x := float32(i)
	switch {
	case out == d && scale == 1:
		return x, true
	case out == 1 && (r.coords == "pytorch_half_pixel" || r.coords == "align_corners"):
		return 0, true
	case r.coords == "half_pixel", r.coords == "pytorch_half_pixel":
		return float32((x+0.5)/scale) - 0.5, true
	case r.coords == "align_corners":
		return float32(x*float32(d-1)) / float32(out-1), true
	case r.coords == "asymmetric":
		return x / scale, true
	}
	return 0, false
}
