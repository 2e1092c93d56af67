package rules

import (
	"math"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"Resize": resize, "Upsample": resize}) }

// resize is separable: along each axis a constant matrix (linear, cubic) or a
// constant choice (nearest).
func resize(b *builder, n *node) []*value {
	x := arg(n, 0)
	r := resizerOf(b, n)
	if b.QuantisesByRange() {
		if y, ok := bilinear(b, x, r); ok {
			return one(y)
		}
	}
	m := mixedOf(b, x)
	for axis, d := range x.Dims {
		out, scale := r.target(axis, d)
		if out == d && scale == 1 {
			continue
		}
		if out < 1 || d < 1 || out > 1<<24 {
			legalise.Failf("axis %d from %d to %d", axis, d, out)
		}
		if r.mode == "nearest" {
			index := table[int](out)
			for i := range index {
				index[i] = min(max(r.nearest(r.source(i, d, out, scale)), 0), d-1)
			}
			x = b.Op("Gather", attrs{"axis": int64(axis)}, x, b.List(index...))
			continue
		}
		m = m.after(axis, matrix{out, d, r.matrix(d, out, scale)})
	}
	if r.mode == "nearest" {
		return one(x)
	}
	return one(m.value(b))
}

// resizer holds the settings of a Resize.
type resizer struct {
	mode, coords, rounding string
	a                      float64 // cubic coefficient
	excludeOutside         bool
	antialias              bool
	scales                 map[int]float64
	sizes                  map[int]int
}

func resizerOf(b *builder, n *node) resizer {
	r := resizer{
		mode:           n.Str("mode", "nearest"),
		coords:         n.Str("coordinate_transformation_mode", "half_pixel"),
		rounding:       n.Str("nearest_mode", "round_prefer_floor"),
		a:              n.Float("cubic_coeff_a", -0.75),
		excludeOutside: n.Int("exclude_outside", 0) != 0,
		antialias:      n.Int("antialias", 0) != 0,
		scales:         map[int]float64{},
		sizes:          map[int]int{},
	}
	if policy := n.Str("keep_aspect_ratio_policy", "stretch"); policy != "stretch" {
		legalise.Failf("keep_aspect_ratio_policy %q", policy)
	}
	axes := n.Ints("axes")
	if axes == nil {
		axes = iota0(arg(n, 0).Rank())
	}
	scales, sizes := n.Arg(2), n.Arg(3)
	if n.Op == "Upsample" || b.Opset() < 11 {
		r.coords, r.rounding, scales = "asymmetric", "floor", n.Arg(1)
	}
	if v, ok := n.Attrs["scales"].([]float32); ok && n.Op == "Upsample" {
		for i, s := range v {
			r.scales[i] = float64(s)
		}
		return r
	}
	switch {
	case sizes != nil && sizes.Len() > 0:
		for i, s := range b.KnownInts(sizes, "the sizes") {
			r.sizes[legalise.Axis(axes[i], arg(n, 0).Rank())] = s
		}
	case scales != nil && scales.Len() > 0:
		for i, s := range b.KnownFloats(scales, "the scales") {
			r.scales[legalise.Axis(axes[i], arg(n, 0).Rank())] = s
		}
	default:
		legalise.Failf("neither scales nor sizes")
	}
	return r
}

// target returns the new size of an axis and the scale that leads to it.
func (r resizer) target(axis, d int) (int, float64) {
	if s, ok := r.sizes[axis]; ok {
		return s, float64(s) / float64(max(d, 1))
	}
	s, ok := r.scales[axis]
	if !ok {
		return d, 1
	}
	if !(s > 0 && s < 1<<16) {
		legalise.Failf("scale %g", s)
	}
	return int(math.Floor(float64(d) * s)), s
}

// source maps an output position to an input coordinate.
func (r resizer) source(i, d, out int, scale float64) float64 {
	x := float64(i)
	switch r.coords {
	case "half_pixel":
		return (x+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if out == 1 {
			return 0
		}
		return (x+0.5)/scale - 0.5
	case "half_pixel_symmetric":
		adjust := float64(out) / (scale * float64(d))
		return float64(d)/2*(1-adjust) + (x+0.5)/scale - 0.5
	case "align_corners":
		if out == 1 {
			return 0
		}
		return x * float64(d-1) / float64(out-1)
	case "asymmetric":
		return x / scale
	}
	legalise.Failf("coordinate_transformation_mode %q", r.coords)
	return 0
}

func (r resizer) nearest(x float64) int {
	switch r.rounding {
	case "round_prefer_floor":
		return int(math.Ceil(x - 0.5))
	case "round_prefer_ceil":
		return int(math.Floor(x + 0.5))
	case "floor":
		return int(math.Floor(x))
	case "ceil":
		return int(math.Ceil(x))
	}
	legalise.Failf("nearest_mode %q", r.rounding)
	return 0
}

// matrix returns the weights [out, d] of an axis.
func (r resizer) matrix(d, out int, scale float64) []float64 {
	kernel, reach := r.kernel()
	stretch := 1.0 // antialiasing widens the kernel when shrinking
	if r.antialias && scale < 1 {
		stretch = 1 / scale
	}
	m := table[float64](square(out, d))
	for i := range out {
		at := r.source(i, d, out, scale)
		if r.mode == "linear" && stretch == 1 {
			at = min(max(at, 0), float64(d-1))
		}
		row := m[i*d : (i+1)*d]
		total := 0.0
		for k := int(math.Ceil(at - reach*stretch)); float64(k) <= at+reach*stretch; k++ {
			w := kernel((float64(k) - at) / stretch)
			outside := k < 0 || k >= d
			if w == 0 || outside && r.excludeOutside {
				continue
			}
			row[min(max(k, 0), d-1)] += w
			total += w
		}
		for k := range row {
			row[k] /= total
		}
	}
	return m
}

func (r resizer) kernel() (func(float64) float64, float64) {
	switch r.mode {
	case "linear":
		return func(t float64) float64 { return max(0, 1-math.Abs(t)) }, 1
	case "cubic":
		a := r.a
		return func(t float64) float64 {
			switch t = math.Abs(t); {
			case t < 1:
				return ((a+2)*t-(a+3))*t*t + 1
			case t < 2:
				return ((a*t-5*a)*t+8*a)*t - 4*a
			}
			return 0
		}, 2
	}
	legalise.Failf("mode %q", r.mode)
	return nil, 0
}
