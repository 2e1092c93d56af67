package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
)

func init() {
	register(map[string]legalise.Rule{
		"Reshape":   reshape,
		"Squeeze":   squeeze,
		"Unsqueeze": unsqueeze,
		"Flatten":   flatten,
		"Transpose": transpose,
		"Expand":    expand,
		"Tile":      tile,
	})
}

// reshape drops reshapes that change nothing and joins two in a row.
func reshape(b *builder, n *node) []*value {
	x := arg(n, 0)
	dims := b.KnownInts(arg(n, 1), "the shape")
	if slices.Equal(dims, x.Dims) && !slices.Contains(dims, 0) {
		return one(x)
	}
	if !slices.ContainsFunc(dims, func(d int) bool { return d < 1 }) && prod(dims) == x.Len() {
		if w := b.Derived(x, func(t *onnxfile.Tensor) *onnxfile.Tensor { return t.Reshaped(dims) }); w != nil {
			return one(w)
		}
	}
	if x.Node != nil && x.Node.Op == "Reshape" && !slices.Contains(dims, 0) {
		if x = x.Node.In[0]; slices.Equal(dims, x.Dims) {
			return one(x)
		}
		n.In = []*value{x, n.In[1]}
	}
	return nil
}

// axesOf reads axes from an attribute (older operator sets) or input i.
func axesOf(b *builder, n *node, i int) []int {
	if v := n.Arg(i); v != nil {
		return b.KnownInts(v, "axes")
	}
	return n.Ints("axes")
}

func squeeze(b *builder, n *node) []*value {
	x := arg(n, 0)
	axes := axesOf(b, n, 1)
	drop := make([]bool, x.Rank())
	for _, a := range axes {
		a = legalise.Axis(a, x.Rank())
		if x.Dims[a] != 1 {
			legalise.Failf("axis %d of %v is not 1", a, x.Dims)
		}
		drop[a] = true
	}
	dims := []int{}
	for i, d := range x.Dims {
		if !drop[i] && (axes != nil || d != 1) {
			dims = append(dims, d)
		}
	}
	return one(b.Reshape(x, dims...))
}

func unsqueeze(b *builder, n *node) []*value {
	x := arg(n, 0)
	axes := axesOf(b, n, 1)
	rank := x.Rank() + len(axes)
	dims := make([]int, rank)
	for _, a := range axes {
		if a = legalise.Axis(a, rank); dims[a] != 0 {
			legalise.Failf("axis %d twice", a)
		}
		dims[a] = 1
	}
	next := 0 // old axes fill the places between new ones in order
	isNew := slices.Clone(dims)
	for i := range dims {
		if isNew[i] == 0 {
			dims[i] = x.Dims[next]
			next++
		}
	}
	return one(b.Op("Reshape", attrs{"allowzero": int64(1)}, x, b.List(dims...)))
}

func flatten(b *builder, n *node) []*value {
	x := arg(n, 0)
	axis := n.Int("axis", 1)
	if axis < 0 {
		axis += x.Rank()
	}
	if axis < 0 || axis > x.Rank() {
		legalise.Failf("axis %d of rank %d", axis, x.Rank())
	}
	return one(b.Reshape(x, prod(x.Dims[:axis]), prod(x.Dims[axis:])))
}

// transpose turns a transpose that moves only axes of size 1 into a reshape,
// and transposes weights while they are loaded.
func transpose(b *builder, n *node) []*value {
	x := arg(n, 0)
	perm := n.Ints("perm")
	if perm == nil {
		perm = iota0(x.Rank())
		slices.Reverse(perm)
	}
	var order, dims []int
	for _, p := range perm {
		p = legalise.Axis(p, x.Rank())
		dims = append(dims, x.Dims[p])
		if x.Dims[p] != 1 {
			order = append(order, p)
		}
	}
	if len(perm) == x.Rank() && slices.IsSorted(order) {
		return one(b.Reshape(x, dims...))
	}
	if slices.Equal(slices.Sorted(slices.Values(perm)), iota0(x.Rank())) {
		if w := b.Derived(x, func(t *onnxfile.Tensor) *onnxfile.Tensor { return t.Transposed(perm) }); w != nil {
			return one(w)
		}
	}
	return nil
}

func expand(b *builder, n *node) []*value {
	x := arg(n, 0)
	dims := b.KnownInts(arg(n, 1), "the shape")
	if slices.Equal(legalise.Broadcast(x.Dims, dims), x.Dims) {
		return one(x)
	}
	return nil
}

func tile(b *builder, n *node) []*value {
	x := arg(n, 0)
	for _, r := range b.KnownInts(arg(n, 1), "repeats") {
		if r != 1 {
			return nil
		}
	}
	return one(x)
}
