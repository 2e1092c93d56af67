package rules

import "slices"

// partElements bounds the attention scores that exist at once, where they are
// many times as many: a head of SAM's encoder has 2²⁴.
var partElements = 1 << 24

// byParts computes softmax(Q·K + …)·V head by head where the scores of all heads
// together are very large, as in SAM's encoder at 1024×1024: 0.8 GB for each
// tensor of scores otherwise, and several of them.
func byParts(b *builder, n *node) *value {
	scores, v := arg(n, 0), arg(n, 1)
	if b.Trainable() || scores.Len() <= 4*partElements || !made(scores, "Softmax") || scores.Rank() != v.Rank() {
		return nil
	}
	axis := outer(scores)
	if axis > scores.Rank()-3 || outer(v) != axis || v.Dims[axis] != scores.Dims[axis] {
		return nil
	}
	heads := scores.Dims[axis]
	p := parts{b: b, heads: heads, whole: scores.Len()}
	if !p.fits(scores, 0) {
		return nil
	}
	step := max(1, partElements/(scores.Len()/heads))
	var out []*value
	for from := 0; from < heads; from += step {
		p.from, p.to = from, min(from+step, heads)
		out = append(out, b.Op("MatMul", nil, p.of(scores), p.cut(v)))
	}
	return b.Concat(axis, out...)
}

// outer is the first axis that is longer than one.
func outer(v *value) int {
	if i := slices.IndexFunc(v.Dims, func(d int) bool { return d != 1 }); i >= 0 {
		return i
	}
	return len(v.Dims)
}

// parts computes values for some heads.
type parts struct {
	b            *builder
	heads, whole int // heads in all; elements of all scores
	from, to     int
}

// fits tells whether v can be computed for a few heads at a time. Values with fewer
// elements than all scores are there as a whole anyway; of larger ones the axis of
// the heads must pass through every operation that makes them.
func (p parts) fits(v *value, depth int) bool {
	if v.Len() < p.whole {
		return true
	}
	axis := outer(v)
	if v.Node == nil || depth > 16 || axis == v.Rank() || v.Dims[axis] != p.heads {
		return false
	}
	switch v.Node.Op {
	case "Softmax":
		return axis < v.Node.Axis("axis", -1, v.Rank()) && p.fits(v.Node.In[0], depth+1)
	case "Reshape":
		return p.fits(v.Node.In[0], depth+1)
	case "MatMul":
		x, y := v.Node.In[0], v.Node.In[1]
		return axis <= v.Rank()-3 && p.operand(x, v) && p.operand(y, v)
	case "Add", "Sub", "Mul", "Div":
		x, y := v.Node.In[0], v.Node.In[1]
		return p.operand(x, v) && p.operand(y, v) && p.fits(x, depth+1) && p.fits(y, depth+1)
	}
	return false
}

// operand tells whether x can be an operand of v for a few heads: the axis of the
// heads of v is one of x, too, or x has no such axis and is the same for all heads.
func (p parts) operand(x, v *value) bool {
	at := outer(v) - (v.Rank() - x.Rank())
	return at < 0 || x.Dims[at] == 1 || x.Dims[at] == p.heads && outer(x) == at
}

// of computes v for the heads of this part.
func (p parts) of(v *value) *value {
	if v.Len() < p.whole {
		return p.cut(v)
	}
	in := slices.Clone(v.Node.In)
	if v.Node.Op == "Reshape" {
		dims := slices.Clone(v.Dims)
		dims[outer(v)] = p.to - p.from
		return p.b.Reshape(p.of(in[0]), dims...)
	}
	for i, x := range in {
		at := outer(v) - (v.Rank() - x.Rank())
		switch {
		case at < 0 || x.Dims[at] == 1:
		case v.Node.Op == "MatMul":
			in[i] = p.cut(x)
		default:
			in[i] = p.of(x)
		}
	}
	return p.b.Op(v.Node.Op, v.Node.Attrs, in...)
}

// cut takes the heads of this part out of a value that is there for all heads.
func (p parts) cut(v *value) *value { return p.b.Slice(v, outer(v), p.from, p.to) }
