package rules

import (
	"math"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"Attention": attention}) }

// attention is the op of operator set 23: softmax(Q·Kᵀ·scale + mask)·V, with
// heads in an axis of their own or in the last one, earlier keys and values, and
// groups of heads that share them.
func attention(b *builder, n *node) []*value {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		legalise.Failf("of domain %s", n.Domain)
	}
	q, k, v := arg(n, 0), arg(n, 1), arg(n, 2)
	flat := q.Rank() == 3
	if q.Rank() != k.Rank() || q.Rank() != v.Rank() || !flat && q.Rank() != 4 {
		legalise.Failf("queries %v, keys %v, values %v", q.Dims, k.Dims, v.Dims)
	}
	if flat {
		q, k, v = byHeads(b, q, n.Int("q_num_heads", 0)), byHeads(b, k, n.Int("kv_num_heads", 0)), byHeads(b, v, n.Int("kv_num_heads", 0))
	}
	pastK, pastV := n.Arg(4), n.Arg(5)
	past := 0
	if pastK != nil && pastV != nil {
		past = pastK.Dims[2]
		k, v = b.Concat(2, pastK, k), b.Concat(2, pastV, v)
	}
	presentK, presentV := k, v
	heads, own := q.Dims[1], k.Dims[1]
	if own == 0 || heads%own != 0 || v.Dims[1] != own || q.Dims[3] != k.Dims[3] || k.Dims[2] != v.Dims[2] {
		legalise.Failf("queries %v, keys %v, values %v", q.Dims, k.Dims, v.Dims)
	}
	k, v = repeatHeads(b, k, heads/own), repeatHeads(b, v, heads/own)
	root := math.Sqrt(n.Float("scale", 1/math.Sqrt(float64(q.Dims[3]))))
	scores := b.Op("MatMul", nil, scale(b, q, root), b.Transpose(scale(b, k, root), 0, 1, 3, 2))
	stages := []*value{scores} // by qk_matmul_output_mode
	scores = masked(b, n, scores, past)
	stages = append(stages, scores)
	if c := n.Float("softcap", 0); c > 0 {
		scores = scale(b, b.Op("Tanh", nil, scale(b, scores, 1/c)), c)
	}
	stages = append(stages, scores)
	share := b.Op("Softmax", attrs{"axis": int64(-1)}, scores)
	stages = append(stages, share)
	y := b.Op("MatMul", nil, share, v)
	if flat {
		y = b.Reshape(b.Transpose(y, 0, 2, 1, 3), y.Dims[0], y.Dims[2], y.Dims[1]*y.Dims[3])
	}
	mode := n.Int("qk_matmul_output_mode", 0)
	if mode < 0 || mode > 3 {
		legalise.Failf("qk_matmul_output_mode %d", mode)
	}
	return []*value{y, presentK, presentV, stages[mode]}
}

// byHeads turns [batch, length, heads·size] into [batch, heads, length, size].
func byHeads(b *builder, x *value, heads int) *value {
	if heads < 1 || x.Dims[2]%heads != 0 {
		legalise.Failf("%d heads of %v", heads, x.Dims)
	}
	return b.Transpose(b.Reshape(x, x.Dims[0], x.Dims[1], heads, x.Dims[2]/heads), 0, 2, 1, 3)
}

// repeatHeads gives each head to times heads of queries, one after the other.
func repeatHeads(b *builder, x *value, times int) *value {
	if times == 1 {
		return x
	}
	d := x.Dims
	one := b.Reshape(x, d[0], d[1], 1, d[2], d[3])
	return b.Reshape(b.Op("Expand", nil, one, b.List(d[0], d[1], times, d[2], d[3])), d[0], d[1]*times, d[2], d[3])
}

// never is what is added to the score of what must not be seen.
const never = -1e30

// masked adds the mask, and hides what comes after each query.
func masked(b *builder, n *node, scores *value, past int) *value {
	if mask := n.Arg(3); mask != nil {
		if mask.DType == legalise.Bool {
			mask = b.Op("Where", nil, mask, like(b, scores, 0), like(b, scores, never))
		}
		if last := mask.Dims[mask.Rank()-1]; last < scores.Dims[3] && last > 1 {
			legalise.Failf("a mask %v for scores %v", mask.Dims, scores.Dims)
		}
		scores = add(b, scores, mask)
	}
	if n.Int("is_causal", 0) == 0 {
		return scores
	}
	rows, cols := scores.Dims[2], scores.Dims[3]
	hidden := table[float64](square(rows, cols))
	for i := range hidden {
		if i%cols > i/cols+past {
			hidden[i] = never
		}
	}
	return add(b, scores, b.ConstFloats(scores.DType, []int{rows, cols}, hidden...))
}
