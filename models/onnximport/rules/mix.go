package rules

import (
	"maps"
	"slices"

	"wsss/models/onnximport/legalise"
)

// matrix is row-major [out, in].
type matrix struct {
	out, in int
	v       []float64
}

// mixed is a value whose axes are combinations of those of another.
type mixed struct {
	of   *value
	axes map[int]matrix
}

// mixedOf tells how x was mixed: by a Resize before and by cutting its result,
// as SAM's masks are. Enlarging and resizing again is then one step, of smaller
// matrices.
func mixedOf(b *builder, x *value) mixed {
	m := cutOf(b, x)
	for _, step := range m.axes {
		if step.out < step.in {
			return mixed{of: x}
		}
	}
	return m
}

func cutOf(b *builder, x *value) mixed {
	if m, ok := b.Noted(x).(mixed); ok {
		return m
	}
	plain := mixed{of: x}
	if !made(x, "Slice") {
		return plain
	}
	m, ok := b.Noted(x.Node.In[0]).(mixed)
	if !ok {
		return plain
	}
	spec, axes := legalise.SpecOf(b, x.Node), maps.Clone(m.axes)
	for axis, count := range spec.Count {
		if count == x.Node.In[0].Dims[axis] && spec.Step[axis] == 1 {
			continue
		}
		old, ok := axes[axis]
		if !ok {
			return plain
		}
		cut := matrix{out: count, in: old.in}
		for i := range count {
			row := spec.Start[axis] + i*spec.Step[axis]
			cut.v = append(cut.v, old.v[row*old.in:(row+1)*old.in]...)
		}
		axes[axis] = cut
	}
	return mixed{m.of, axes}
}

// after mixes an axis further.
func (m mixed) after(axis int, by matrix) mixed {
	axes := maps.Clone(m.axes)
	if axes == nil {
		axes = map[int]matrix{}
	}
	if old, ok := axes[axis]; ok {
		by = by.times(old)
	}
	axes[axis] = by
	return mixed{m.of, axes}
}

// times is m·n. Rows of resizing matrices are mostly zeros.
func (m matrix) times(n matrix) matrix {
	z := matrix{m.out, n.in, table[float64](square(m.out, n.in))}
	for i := range m.out {
		for k, f := range m.v[i*m.in : (i+1)*m.in] {
			if f == 0 {
				continue
			}
			for j, v := range n.v[k*n.in : (k+1)*n.in] {
				z.v[i*n.in+j] += f * v
			}
		}
	}
	return z
}

// value computes what m stands for.
func (m mixed) value(b *builder) *value {
	x := m.of
	for _, axis := range slices.Sorted(maps.Keys(m.axes)) {
		x = mix(b, x, axis, m.axes[axis])
	}
	if len(m.axes) > 0 {
		b.Note(x, m)
	}
	return x
}

// mix replaces axis by combinations of its elements.
func mix(b *builder, x *value, axis int, m matrix) *value {
	dims := slices.Clone(x.Dims)
	dims[axis] = m.out
	if inner := prod(x.Dims[axis+1:]); inner > 1 {
		left := b.ConstFloats(x.DType, []int{m.out, m.in}, m.v...)
		outer := prod(x.Dims[:axis])
		if outer == 1 {
			return b.Reshape(b.Op("MatMul", nil, left, b.Reshape(x, m.in, inner)), dims...)
		}
		return b.Reshape(b.Op("MatMul", nil, left, b.Reshape(x, outer, m.in, inner)), dims...)
	}
	flipped := table[float64](len(m.v))
	for i := range m.out {
		for j := range m.in {
			flipped[j*m.out+i] = m.v[i*m.in+j]
		}
	}
	right := b.ConstFloats(x.DType, []int{m.in, m.out}, flipped...)
	return b.Reshape(b.Op("MatMul", nil, b.Reshape(x, -1, m.in), right), dims...)
}
