package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"Slice": slice, "Split": split, "Concat": concat})
}

// slice reads older forms, drops slices that take everything, and writes
// backward ones as gathers.
func slice(b *builder, n *node) []*value {
	if starts := n.Ints("starts"); starts != nil && n.Arg(1) == nil {
		ends, axes := n.Ints("ends"), n.Ints("axes")
		if axes == nil {
			axes = iota0(len(starts))
		}
		return one(b.Op("Slice", nil, arg(n, 0), b.List(starts...), b.List(ends...), b.List(axes...)))
	}
	x, s := arg(n, 0), legalise.SpecOf(b, n)
	if slices.Contains(s.Count, 0) {
		return nil
	}
	var starts, ends, axes, steps []int
	for i, d := range x.Dims {
		switch {
		case s.Step[i] < 0:
			index := table[int](s.Count[i])
			for k := range index {
				index[k] = s.Start[i] + k*s.Step[i]
			}
			x = b.Op("Gather", attrs{"axis": int64(i)}, x, b.List(index...))
		case s.Count[i] != d:
			starts, ends = append(starts, s.Start[i]), append(ends, s.Start[i]+(s.Count[i]-1)*s.Step[i]+1)
			axes, steps = append(axes, i), append(steps, s.Step[i])
		}
	}
	if len(axes) == 0 {
		return one(x)
	}
	n.In = []*value{x, b.List(starts...), b.List(ends...), b.List(axes...), b.List(steps...)}
	n.Attrs = nil
	return nil
}

func split(b *builder, n *node) []*value {
	x := arg(n, 0)
	axis := n.Axis("axis", 0, x.Rank())
	parts := n.Ints("split")
	if v := n.Arg(1); v != nil {
		parts = b.KnownInts(v, "the parts")
	}
	if parts == nil {
		k := n.Int("num_outputs", n.Outs())
		if k < 1 || k > maxTaps {
			legalise.Failf("%d parts", k)
		}
		size := max(1, (x.Dims[axis]+k-1)/k)
		for from := 0; from < x.Dims[axis]; from += size {
			parts = append(parts, min(size, x.Dims[axis]-from))
		}
	}
	var out []*value
	at := 0
	for _, p := range parts {
		if p < 0 || at+p > x.Dims[axis] {
			legalise.Failf("parts %v of %d", parts, x.Dims[axis])
		}
		out = append(out, b.Slice(x, axis, at, at+p))
		at += p
	}
	if at != x.Dims[axis] {
		legalise.Failf("parts %v of %d", parts, x.Dims[axis])
	}
	return out
}

// concat drops empty parts.
func concat(b *builder, n *node) []*value {
	axis := n.Axis("axis", 0, arg(n, 0).Rank())
	var parts []*value
	for _, v := range n.In {
		if v != nil && v.Len() > 0 {
			parts = append(parts, v)
		}
	}
	switch {
	case len(parts) == 1:
		return one(parts[0])
	case len(parts) > 1 && len(parts) < len(n.In):
		return one(b.Concat(axis, parts...))
	}
	return nil
}
