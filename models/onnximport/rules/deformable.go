package rules

import "slices"

// weightedReadings finds the sum that deformable attention makes of what
// GridSamples read in several images, its levels,
//
//	Σₖ reshape(concat([N, C, Q, 1, P] …), [N, C, Q, K]) · weights [N, 1, Q, K],
//
// and has it weigh the pixels themselves: one sum over all neighbours of all
// places of a query instead of one per place, and nothing of K·C values.
func weightedReadings(b *builder, n *node, axes []int) *value {
	x := arg(n, 0)
	if x.Rank() != 4 || !made(x, "Mul") || !slices.Equal(axes, []int{3}) {
		return nil
	}
	batch, c, queries := x.Dims[0], x.Dims[1], x.Dims[2]
	read, weights := x.Node.In[0], x.Node.In[1]
	if !made(read, "Reshape") {
		read, weights = weights, read
	}
	if !made(read, "Reshape") || !read.Is(x.Dims) || !weights.Is([]int{batch, 1, queries, x.Dims[3]}) {
		return nil
	}
	levels := []*value{read}
	if joined := read.Node.In[0]; made(joined, "Concat") {
		if joined.Rank() != 5 || joined.Node.Axis("axis", 0, 5) != 3 || !slices.Equal(joined.Dims[:3], x.Dims[:3]) {
			return nil
		}
		levels = joined.Node.In
	}
	readings := make([]*reading, len(levels))
	for i, v := range levels {
		if !made(v, "Reshape") || v != read && v.Dims[3] != 1 {
			return nil
		}
		r, ok := b.Noted(v.Node.In[0]).(*reading)
		if !ok || !v.Node.In[0].Is([]int{batch, c, queries * v.Dims[v.Rank()-1]}) {
			return nil
		}
		readings[i] = r
	}
	var total *value
	at := 0
	for i, r := range readings {
		places := levels[i].Dims[levels[i].Rank()-1]
		factors := b.Reshape(b.Slice(weights, 3, at, at+places), batch, queries*places)
		at += places
		if sum := r.sum(factors, places); total == nil {
			total = sum
		} else {
			total = add(b, total, sum)
		}
	}
	total = b.Transpose(b.Reshape(total, batch, queries, c), 0, 2, 1)
	if n.Int("keepdims", 1) != 0 {
		return b.Reshape(total, batch, c, queries, 1)
	}
	return total
}
