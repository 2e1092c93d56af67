package rules

import "slices"

// axisBias finds attention scores with decomposed relative positions,
//
//	reshape(Q·K, [B, h, w, H, W]) + rows [B, h, w, H, 1] + columns [B, h, w, 1, W],
//
// and has the product compute all of it: Q gets the biases as further columns,
// K the ones and zeros that lead each to its place. That is half as many
// multiplications again, and two passes over the scores less.
func axisBias(b *builder, n *node) []*value {
	if !b.BiasInProducts() {
		return nil
	}
	first, bias1 := scoresAndBias(arg(n, 0), arg(n, 1))
	if first == nil || !made(first, "Add") {
		return nil
	}
	scores, bias2 := scoresAndBias(first.Node.In[0], first.Node.In[1])
	if scores == nil || !made(scores, "Reshape") || !made(scores.Node.In[0], "MatMul") {
		return nil
	}
	rows, columns := bias1, bias2
	if rows.Dims[3] == 1 {
		rows, columns = columns, rows
	}
	d, product := scores.Dims, scores.Node.In[0]
	batch, queries, keys := d[0], d[1]*d[2], d[3]*d[4]
	if !rows.Is([]int{batch, d[1], d[2], d[3], 1}) || !columns.Is([]int{batch, d[1], d[2], 1, d[4]}) || !product.Is([]int{batch, queries, keys}) {
		return nil
	}
	q, k := product.Node.In[0], product.Node.In[1]
	if q.Rank() != 3 || k.Rank() != 3 || q.Dims[0] != batch || k.Dims[0] != batch {
		return nil
	}
	wide := b.Concat(2, q, b.Reshape(rows, batch, queries, d[3]), b.Reshape(columns, batch, queries, d[4]))
	places := b.Op("Expand", nil, b.ConstFloats(q.DType, []int{1, d[3] + d[4], keys}, axisPlaces(d[3], d[4])...), b.List(batch, d[3]+d[4], keys))
	sum := b.Op("MatMul", nil, wide, b.Concat(1, k, places))
	return one(b.Reshape(sum, slices.Clone(d)...))
}

// scoresAndBias tells the full operand of rank 5 from the one with a single
// row or column.
func scoresAndBias(x, y *value) (scores, bias *value) {
	if x.Rank() != 5 || y.Rank() != 5 {
		return nil, nil
	}
	if x.Dims[3] == 1 || x.Dims[4] == 1 {
		x, y = y, x
	}
	if x.Dims[3] == 1 || x.Dims[4] == 1 || (y.Dims[3] == 1) == (y.Dims[4] == 1) {
		return nil, nil
	}
	return x, y
}

// axisPlaces is a matrix [rows+columns, rows·columns] that spreads values of
// rows, and of columns, over a grid.
func axisPlaces(rows, columns int) []float64 {
	keys := rows * columns
	m := table[float64](square(rows+columns, keys))
	for i := range keys {
		m[i/columns*keys+i] = 1
		m[(rows+i%columns)*keys+i] = 1
	}
	return m
}
