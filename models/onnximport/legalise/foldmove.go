package legalise

import (
	"cmp"
	"slices"
)

// The ops that move elements about, for constants.

func evalCopy(b *Builder, n *Node, out []*Value) bool {
	out[0].Const = n.In[0].Const
	return true
}

// evalIndexed fills the output from elements of input 0 that at names.
func evalIndexed(n *Node, out *Value, at func(index []int) int) {
	res := newConst(out)
	index := make([]int, len(out.Dims))
	for i := range out.Len() {
		res.copyFrom(i, n.In[0].Const, at(index))
		for k := len(index) - 1; k >= 0; k-- {
			if index[k]++; index[k] < out.Dims[k] {
				break
			}
			index[k] = 0
		}
	}
}

// stridesOf returns the distance between neighbours along each axis.
func stridesOf(dims []int) []int {
	out := make([]int, len(dims))
	step := 1
	for i := len(dims) - 1; i >= 0; i-- {
		out[i] = step
		step *= dims[i]
	}
	return out
}

// evalMatMul multiplies small matrices, such as position encodings of a fixed
// grid, once and for all.
func evalMatMul(b *Builder, n *Node, out []*Value) bool {
	const mostProducts = 1 << 26
	x, y, z := n.In[0], n.In[1], out[0]
	rows, inner, cols := x.Dims[x.Rank()-2], x.Dims[x.Rank()-1], y.Dims[y.Rank()-1]
	if x.Const.Floats == nil || z.Len()*max(1, inner) > mostProducts {
		return false
	}
	b.spend(z.Len() * inner / 16)
	res := newConst(z)
	batch := z.Dims[:z.Rank()-2]
	ix, iy := indexer(batch, x.Dims[:x.Rank()-2]), indexer(batch, y.Dims[:y.Rank()-2])
	for k := range z.Len() / max(1, rows*cols) {
		a, c := x.Const.Floats[ix(k)*rows*inner:], y.Const.Floats[iy(k)*inner*cols:]
		for i := range rows {
			for j := range cols {
				sum := 0.0
				for l := range inner {
					sum += a[i*inner+l] * c[l*cols+j]
				}
				res.Floats[(k*rows+i)*cols+j] = roundTo(z.DType, sum)
			}
		}
	}
	return true
}

func evalTranspose(b *Builder, n *Node, out []*Value) bool {
	perm, strides := permOf(n), stridesOf(n.In[0].Dims)
	evalIndexed(n, out[0], func(index []int) int {
		at := 0
		for k, p := range perm {
			at += index[k] * strides[p]
		}
		return at
	})
	return true
}

func evalConcat(b *Builder, n *Node, out []*Value) bool {
	axis := n.Axis("axis", 0, n.In[0].Rank())
	res := newConst(out[0])
	inner := 1
	for _, d := range out[0].Dims[axis+1:] {
		inner *= d
	}
	row := out[0].Dims[axis] * inner
	offset := 0
	for _, v := range n.In {
		chunk := v.Dims[axis] * inner
		for i := range v.Len() {
			res.copyFrom(i/chunk*row+offset+i%chunk, v.Const, i)
		}
		offset += chunk
	}
	return true
}

func evalSlice(b *Builder, n *Node, out []*Value) bool {
	s, strides := SpecOf(b, n), stridesOf(n.In[0].Dims)
	evalIndexed(n, out[0], func(index []int) int {
		at := 0
		for k, i := range index {
			at += (s.Start[k] + i*s.Step[k]) * strides[k]
		}
		return at
	})
	return true
}

// wrapIndex checks an index that may count from the end.
func wrapIndex(i int64, d int) int {
	if i < 0 {
		i += int64(d)
	}
	if i < 0 || i >= int64(d) {
		failf("index %d of %d", i, d)
	}
	return int(i)
}

func evalGather(b *Builder, n *Node, out []*Value) bool {
	x, idx := n.In[0], n.In[1]
	axis := n.Axis("axis", 0, x.Rank())
	strides, is := stridesOf(x.Dims), stridesOf(idx.Dims)
	evalIndexed(n, out[0], func(index []int) int {
		at, pos := 0, 0
		for k, s := range is {
			pos += index[axis+k] * s
		}
		for k, s := range strides {
			switch {
			case k < axis:
				at += index[k] * s
			case k == axis:
				at += wrapIndex(idx.Const.Ints[pos], x.Dims[axis]) * s
			default:
				at += index[k+len(is)-1] * s
			}
		}
		return at
	})
	return true
}

func evalGatherElements(b *Builder, n *Node, out []*Value) bool {
	x, idx := n.In[0], n.In[1]
	axis := n.Axis("axis", 0, x.Rank())
	strides, is := stridesOf(x.Dims), stridesOf(idx.Dims)
	evalIndexed(n, out[0], func(index []int) int {
		at, pos := 0, 0
		for k, i := range index {
			pos += i * is[k]
			if k != axis {
				at += wrapIndex(int64(i), x.Dims[k]) * strides[k]
			}
		}
		return at + wrapIndex(idx.Const.Ints[pos], x.Dims[axis])*strides[axis]
	})
	return true
}

func evalGatherND(b *Builder, n *Node, out []*Value) bool {
	x, idx := n.In[0], n.In[1]
	if n.Int("batch_dims", 0) != 0 {
		return false
	}
	k := idx.Dims[idx.Rank()-1]
	q := idx.Rank() - 1
	strides, is := stridesOf(x.Dims), stridesOf(idx.Dims)
	evalIndexed(n, out[0], func(index []int) int {
		at, pos := 0, 0
		for i := range q {
			pos += index[i] * is[i]
		}
		for i := range k {
			at += wrapIndex(idx.Const.Ints[pos+i], x.Dims[i]) * strides[i]
		}
		for i := k; i < x.Rank(); i++ {
			at += index[q+i-k] * strides[i]
		}
		return at
	})
	return true
}

func evalScatterND(b *Builder, n *Node, out []*Value) bool {
	x, idx, upd := n.In[0], n.In[1], n.In[2]
	if n.Str("reduction", "none") != "none" || idx.Rank() == 0 {
		return false
	}
	res := newConst(out[0])
	copy(res.Ints, x.Const.Ints)
	copy(res.Floats, x.Const.Floats)
	k := idx.Dims[idx.Rank()-1]
	if k < 1 || k > x.Rank() {
		failf("indices %v into %v", idx.Dims, x.Dims)
	}
	strides := stridesOf(x.Dims)
	inner := strides[k-1]
	if rows := idx.Len() / k; upd.Len() != rows*inner {
		failf("updates %v for indices %v into %v", upd.Dims, idx.Dims, x.Dims)
	}
	for row := range idx.Len() / k {
		at := 0
		for i := range k {
			at += wrapIndex(idx.Const.Ints[row*k+i], x.Dims[i]) * strides[i]
		}
		for i := range inner {
			res.copyFrom(at+i, upd.Const, row*inner+i)
		}
	}
	return true
}

func evalExpand(b *Builder, n *Node, out []*Value) bool {
	at := indexer(out[0].Dims, n.In[0].Dims)
	res := newConst(out[0])
	for i := range out[0].Len() {
		res.copyFrom(i, n.In[0].Const, at(i))
	}
	return true
}

func evalTile(b *Builder, n *Node, out []*Value) bool {
	x := n.In[0]
	strides := stridesOf(x.Dims)
	evalIndexed(n, out[0], func(index []int) int {
		at := 0
		for k, i := range index {
			at += i % x.Dims[k] * strides[k]
		}
		return at
	})
	return true
}

func evalPad(b *Builder, n *Node, out []*Value) bool {
	x := n.In[0]
	if n.Str("mode", "constant") != "constant" {
		return false
	}
	pads, strides := PadsOf(b, n), stridesOf(x.Dims)
	fill := &Const{Ints: []int64{0}, Floats: []float64{0}}
	if v := n.Arg(2); v != nil && v.Len() == 1 {
		fill = v.Const
	}
	res := newConst(out[0])
	index := make([]int, x.Rank())
	for i := range out[0].Len() {
		rest, inside := i, true
		for k := x.Rank() - 1; k >= 0; k-- {
			index[k] = rest%out[0].Dims[k] - pads[k]
			rest /= out[0].Dims[k]
			inside = inside && index[k] >= 0 && index[k] < x.Dims[k]
		}
		if !inside {
			res.copyFrom(i, fill, 0)
			continue
		}
		at := 0
		for k, s := range strides {
			at += index[k] * s
		}
		res.copyFrom(i, x.Const, at)
	}
	return true
}

func evalCumSum(b *Builder, n *Node, out []*Value) bool {
	x := n.In[0]
	a := b.KnownInts(n.In[1], "the axis")
	if len(a) != 1 || n.Int("exclusive", 0) != 0 || n.Int("reverse", 0) != 0 {
		return false
	}
	axis := Axis(a[0], x.Rank())
	stride := stridesOf(x.Dims)[axis]
	res := newConst(out[0])
	for i := range x.Len() {
		res.copyFrom(i, x.Const, i)
		if i/stride%x.Dims[axis] == 0 {
			continue
		}
		if res.Floats != nil {
			res.Floats[i] = roundTo(x.DType, res.Floats[i]+res.Floats[i-stride])
		} else {
			res.Ints[i] += res.Ints[i-stride]
		}
	}
	return true
}

func evalTopK(b *Builder, n *Node, out []*Value) bool {
	x := n.In[0]
	if x.Rank() != 1 {
		return false
	}
	order := make([]int, x.Len())
	for i := range order {
		order[i] = i
	}
	less := func(i, j int) int {
		if x.Const.Floats != nil {
			return cmp.Compare(x.Const.Floats[i], x.Const.Floats[j])
		}
		return cmp.Compare(x.Const.Ints[i], x.Const.Ints[j])
	}
	largest := n.Int("largest", 1) != 0
	slices.SortStableFunc(order, func(i, j int) int {
		if largest {
			return less(j, i)
		}
		return less(i, j)
	})
	values, indices := newConst(out[0]), newConst(out[1])
	for i := range out[0].Len() {
		values.copyFrom(i, x.Const, order[i])
		indices.Ints[i] = int64(order[i])
	}
	return true
}

func evalRange(b *Builder, n *Node, out []*Value) bool {
	start, delta := n.In[0].Const, n.In[2].Const
	res := newConst(out[0])
	for i := range out[0].Len() {
		if res.Floats != nil {
			res.Floats[i] = roundTo(out[0].DType, start.Floats[0]+float64(i)*delta.Floats[0])
		} else {
			res.Ints[i] = start.Ints[0] + int64(i)*delta.Ints[0]
		}
	}
	return true
}

func evalConstantOfShape(b *Builder, n *Node, out []*Value) bool {
	res := newConst(out[0])
	t := n.tensor(b, "value")
	if t == nil {
		return true
	}
	if t.Len() != 1 {
		failf("value of %d elements", t.Len())
	}
	fill, err := decode(t)
	fail(err)
	for i := range out[0].Len() {
		res.copyFrom(i, fill, 0)
	}
	return true
}

func evalNonZero(b *Builder, n *Node, out []*Value) bool {
	x := n.In[0]
	res := newConst(out[0])
	strides := stridesOf(x.Dims)
	count, at := out[0].Dims[1], 0
	for i, set := range toInt01(x.Const) {
		if set == 0 {
			continue
		}
		for k, s := range strides {
			res.Ints[k*count+at] = int64(i / s % x.Dims[k])
		}
		at++
	}
	return true
}
