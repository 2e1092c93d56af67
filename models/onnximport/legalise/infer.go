package legalise

import (
	"slices"

	"wsss/models/onnximport/onnxfile"
)

// Broadcast returns the common shape of two, by ONNX's rule.
func Broadcast(x, y []int) []int {
	out := make([]int, max(len(x), len(y)))
	for i := range out {
		dx, dy := 1, 1
		if k := i - len(out) + len(x); k >= 0 {
			dx = x[k]
		}
		if k := i - len(out) + len(y); k >= 0 {
			dy = y[k]
		}
		switch {
		case dx == dy || dy == 1:
			out[i] = dx
		case dx == 1:
			out[i] = dy
		default:
			failf("shapes %v and %v do not broadcast", x, y)
		}
	}
	return out
}

func inferBinary(isBool bool) func(*Builder, *Node) []*Value {
	return func(b *Builder, n *Node) []*Value {
		need(n, 2)
		d := n.In[0].DType
		if n.In[1].DType != d {
			failf("element types %v and %v differ", d, n.In[1].DType)
		}
		if isBool {
			d = Bool
		}
		return like(d, Broadcast(n.In[0].Dims, n.In[1].Dims)...)
	}
}

func inferWhere(b *Builder, n *Node) []*Value {
	need(n, 3)
	if n.In[1].DType != n.In[2].DType {
		failf("element types %v and %v differ", n.In[1].DType, n.In[2].DType)
	}
	return like(n.In[1].DType, Broadcast(Broadcast(n.In[0].Dims, n.In[1].Dims), n.In[2].Dims)...)
}

func inferMatMul(b *Builder, n *Node) []*Value {
	need(n, 2)
	x, y := n.In[0].Dims, n.In[1].Dims
	if len(x) < 2 || len(y) < 2 || x[len(x)-1] != y[len(y)-2] {
		failf("shapes %v and %v do not multiply", x, y)
	}
	out := Broadcast(x[:len(x)-2], y[:len(y)-2])
	return like(n.In[0].DType, append(out, x[len(x)-2], y[len(y)-1])...)
}

func inferReshape(b *Builder, n *Node) []*Value {
	need(n, 2)
	x := n.In[0]
	dims := slices.Clone(b.KnownInts(n.In[1], "the shape"))
	open, rest := -1, 1
	for i, d := range dims {
		if d == 0 && n.Int("allowzero", 0) == 0 {
			if i >= x.Rank() {
				failf("shape %v copies dimension %d of %v", dims, i, x.Dims)
			}
			dims[i] = x.Dims[i]
		}
		switch {
		case d < -1 || d == -1 && open >= 0:
			failf("shape %v", dims)
		case d == -1:
			open = i
		default:
			rest *= dims[i]
		}
	}
	if open >= 0 {
		if rest == 0 || x.Len()%rest != 0 {
			failf("%v does not reshape to %v", x.Dims, dims)
		}
		dims[open] = x.Len() / rest
		rest *= dims[open]
	}
	if _, err := onnxfile.Size(dims); err != nil || rest != x.Len() {
		failf("%v does not reshape to %v", x.Dims, dims)
	}
	return like(x.DType, dims...)
}

func inferTranspose(b *Builder, n *Node) []*Value {
	need(n, 1)
	x := n.In[0]
	perm := permOf(n)
	dims := make([]int, len(perm))
	for i, p := range perm {
		dims[i] = x.Dims[p]
	}
	return like(x.DType, dims...)
}

func permOf(n *Node) []int {
	rank := n.In[0].Rank()
	perm := n.Ints("perm")
	if perm == nil {
		for i := rank - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != i {
			failf("perm %v is not a permutation", perm)
		}
	}
	if len(perm) != rank {
		failf("perm %v for rank %d", perm, rank)
	}
	return perm
}

func inferCast(b *Builder, n *Node) []*Value {
	need(n, 1)
	to := onnxfile.Widen(DType(n.Int("to", 0)))
	if !IsFloat(to) && intBytes(to) == 0 {
		failf("cast to %v", to)
	}
	return like(to, n.In[0].Dims...)
}

func inferConcat(b *Builder, n *Node) []*Value {
	need(n, max(1, len(n.In)))
	first := n.In[0]
	axis := n.Axis("axis", 0, first.Rank())
	dims := slices.Clone(first.Dims)
	for _, v := range n.In[1:] {
		if v.Rank() != len(dims) || v.DType != first.DType {
			failf("%v and %v do not join", first, v)
		}
		for i, d := range v.Dims {
			if i != axis && d != dims[i] {
				failf("%v and %v do not join along axis %d", first, v, axis)
			}
		}
		dims[axis] += v.Dims[axis]
	}
	return like(first.DType, dims...)
}

// SliceSpec is a canonical slice: per axis a first index, a step and a count.
type SliceSpec struct{ Start, Step, Count []int }

// SpecOf reads the inputs of a Slice: data, starts, ends, axes, steps.
func SpecOf(b *Builder, n *Node) SliceSpec {
	need(n, 3)
	x := n.In[0]
	s := SliceSpec{make([]int, x.Rank()), make([]int, x.Rank()), slices.Clone(x.Dims)}
	for i := range s.Step {
		s.Step[i] = 1
	}
	starts, ends := b.KnownInts(n.In[1], "starts"), b.KnownInts(n.In[2], "ends")
	axes, steps := make([]int, len(starts)), make([]int, len(starts))
	for i := range starts {
		axes[i], steps[i] = i, 1
	}
	if v := n.Arg(3); v != nil {
		axes = b.KnownInts(v, "axes")
	}
	if v := n.Arg(4); v != nil {
		steps = b.KnownInts(v, "steps")
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		failf("%d starts, %d ends, %d axes, %d steps", len(starts), len(ends), len(axes), len(steps))
	}
	for i, axis := range axes {
		axis = Axis(axis, x.Rank())
		d, step := x.Dims[axis], min(max(steps[i], -1<<40), 1<<40)
		if step == 0 {
			failf("step 0")
		}
		start, end := starts[i], ends[i]
		if start < 0 {
			start += d
		}
		if end < 0 {
			end += d
		}
		if step > 0 {
			start, end = min(max(start, 0), d), min(max(end, 0), d)
			s.Count[axis] = max(0, (end-start+step-1)/step)
		} else {
			start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
			s.Count[axis] = max(0, (start-end-step-1)/-step)
		}
		s.Start[axis], s.Step[axis] = start, step
	}
	return s
}

func inferSlice(b *Builder, n *Node) []*Value {
	return like(n.In[0].DType, SpecOf(b, n).Count...)
}

func inferGather(b *Builder, n *Node) []*Value {
	need(n, 2)
	x, idx := n.In[0], n.In[1]
	axis := n.Axis("axis", 0, x.Rank())
	dims := append(slices.Clone(x.Dims[:axis]), idx.Dims...)
	return like(x.DType, append(dims, x.Dims[axis+1:]...)...)
}

func inferGatherElements(b *Builder, n *Node) []*Value {
	need(n, 2)
	if n.In[0].Rank() != n.In[1].Rank() {
		failf("ranks %d and %d differ", n.In[0].Rank(), n.In[1].Rank())
	}
	n.Axis("axis", 0, n.In[0].Rank())
	return like(n.In[0].DType, n.In[1].Dims...)
}

func inferGatherND(b *Builder, n *Node) []*Value {
	need(n, 2)
	x, idx := n.In[0], n.In[1]
	batch := n.Int("batch_dims", 0)
	if idx.Rank() < 1 || batch < 0 || batch >= idx.Rank() || batch+idx.Dims[idx.Rank()-1] > x.Rank() {
		failf("indices %v into %v", idx.Dims, x.Dims)
	}
	k := idx.Dims[idx.Rank()-1]
	dims := slices.Clone(idx.Dims[:idx.Rank()-1])
	return like(x.DType, append(dims, x.Dims[batch+k:]...)...)
}

func inferExpand(b *Builder, n *Node) []*Value {
	need(n, 2)
	dims := b.KnownInts(n.In[1], "the shape")
	if _, err := onnxfile.Size(dims); err != nil {
		fail(err)
	}
	return like(n.In[0].DType, Broadcast(n.In[0].Dims, dims)...)
}

func inferTile(b *Builder, n *Node) []*Value {
	need(n, 2)
	repeats := b.KnownInts(n.In[1], "repeats")
	if len(repeats) != n.In[0].Rank() {
		failf("%d repeats for rank %d", len(repeats), n.In[0].Rank())
	}
	dims := slices.Clone(n.In[0].Dims)
	for i, r := range repeats {
		if r < 0 || r > 1<<31 {
			failf("repeats %v", repeats)
		}
		dims[i] *= r
	}
	return like(n.In[0].DType, dims...)
}

func inferPad(b *Builder, n *Node) []*Value {
	need(n, 2)
	dims := slices.Clone(n.In[0].Dims)
	for i, p := range PadsOf(b, n) {
		if p > 1<<31 || p < -1<<31 {
			failf("pad of %d", p)
		}
		if dims[i%len(dims)] += p; dims[i%len(dims)] < 0 {
			failf("pads cut more than there is of %v", n.In[0].Dims)
		}
	}
	return like(n.In[0].DType, dims...)
}

// PadsOf returns the amounts of a Pad for every axis: all begins, all ends.
func PadsOf(b *Builder, n *Node) []int {
	pads := b.KnownInts(n.In[1], "pads")
	rank := n.In[0].Rank()
	axesArg := n.Arg(3)
	if axesArg == nil {
		if len(pads) != 2*rank {
			failf("%d pads for rank %d", len(pads), rank)
		}
		return pads
	}
	axes := b.KnownInts(axesArg, "axes")
	if len(pads) != 2*len(axes) {
		failf("%d pads for %d axes", len(pads), len(axes))
	}
	out := make([]int, 2*rank)
	for i, axis := range axes {
		axis = Axis(axis, rank)
		out[axis], out[rank+axis] = pads[i], pads[len(axes)+i]
	}
	return out
}

// inferGatherSum is for an op that no file has: rules make it and the importer
// builds it. Of a table [R, C], whole numbers [M, K] below R and weights [M, K]
// it makes the sums [M, C] of weighted rows.
func inferGatherSum(_ *Builder, n *Node) []*Value {
	need(n, 3)
	table, index, weight := n.In[0], n.In[1], n.In[2]
	if table.Rank() != 2 || index.Rank() != 2 || !index.Is(weight.Dims) || table.DType != weight.DType {
		failf("table %v, rows %v, weights %v", table, index, weight)
	}
	return like(table.DType, index.Dims[0], table.Dims[1])
}

func inferReduce(b *Builder, n *Node) []*Value {
	need(n, 1)
	x := n.In[0]
	axes := n.Ints("axes")
	keep := n.Int("keepdims", 1) != 0
	var dims []int
	for i, d := range x.Dims {
		switch {
		case !slices.ContainsFunc(axes, func(a int) bool { return Axis(a, x.Rank()) == i }):
			dims = append(dims, d)
		case keep:
			dims = append(dims, 1)
		}
	}
	return like(x.DType, dims...)
}

func inferTopK(b *Builder, n *Node) []*Value {
	need(n, 2)
	dims := slices.Clone(n.In[0].Dims)
	axis := n.Axis("axis", -1, len(dims))
	k := b.KnownInts(n.In[1], "k")
	if len(k) != 1 || k[0] < 0 || k[0] > dims[axis] {
		failf("k %v of %d", k, dims[axis])
	}
	dims[axis] = k[0]
	return []*Value{{DType: n.In[0].DType, Dims: dims}, {DType: Int64, Dims: slices.Clone(dims)}}
}

func inferRange(b *Builder, n *Node) []*Value {
	need(n, 3)
	start, limit, delta := b.KnownFloats(n.In[0], "start"), b.KnownFloats(n.In[1], "limit"), b.KnownFloats(n.In[2], "delta")
	if len(start) != 1 || len(limit) != 1 || len(delta) != 1 || delta[0] == 0 {
		failf("Range needs three scalars and a step other than 0")
	}
	count := (limit[0] - start[0]) / delta[0]
	if !(count < 1<<40) {
		failf("a range of %g elements", count)
	}
	return like(n.In[0].DType, max(0, int(ceil(count))))
}

func inferConstantOfShape(b *Builder, n *Node) []*Value {
	need(n, 1)
	d := Float
	if t := n.tensor(b, "value"); t != nil {
		d = t.DType
	}
	return like(d, b.KnownInts(n.In[0], "the shape")...)
}

func inferNonZero(b *Builder, n *Node) []*Value {
	need(n, 1)
	count := 0
	for _, x := range toInt01(b.Known(n.In[0], "the input of NonZero")) {
		count += x
	}
	return like(Int64, n.In[0].Rank(), count)
}
