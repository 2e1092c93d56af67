package onnxwrite

import (
	"fmt"
	"math"
)

// Counted is 0, 1, … up to a length, int64 [1], as float32.
func (n *Net) Counted(length Value) Value {
	return n.AsFloat(n.Op("Range", list(n.IntTable([]int{0}), n.Op("Squeeze", list(length)), n.IntTable([]int{1}))))
}

// Waves are the sines and cosines, in turns, of x·2π at falling frequencies: the
// last axis of x, of length 1, becomes width.
func (n *Net) Waves(x Value, width int, temperature float64) Value {
	frequency, even, odd := make([]float32, width), make([]float32, width), make([]float32, width)
	for i := range width {
		frequency[i] = float32(math.Pow(temperature, float64(2*(i/2))/float64(width)))
		even[i], odd[i] = float32(1-i%2), float32(i%2)
	}
	row := func(v []float32) Value { return n.Floats(fmt.Sprintf("const_%d", len(n.Graph.Initializer)), v, width) }
	angle := n.Op("Div", list(n.Mul(x, n.Float(2*math.Pi)), row(frequency)))
	return n.Add(n.Mul(n.Op("Sin", list(angle)), row(even)), n.Mul(n.Op("Cos", list(angle)), row(odd)))
}

// MultiHead is PyTorch's MultiheadAttention of a module, for query, key and value
// [batch, tokens, width]; bias is added to the scores, "" is none.
func (n *Net) MultiHead(q, k, v Value, module string, heads int, bias Value) Value {
	width := n.WeightShape(module+".out_proj.weight", 2)[0]
	in := func(x Value, at int) Value {
		w := n.SliceAxis(n.Weight(module+".in_proj_weight"), 0, at*width, (at+1)*width)
		y := n.MatMul(x, n.Transpose(w, 1, 0))
		return n.Heads(n.Add(y, n.SliceAxis(n.Weight(module+".in_proj_bias"), 0, at*width, (at+1)*width)), heads)
	}
	return n.Linear(n.Joined(n.Attend(in(q, 0), in(k, 1), in(v, 2), width/heads, bias)), module+".out_proj")
}

// Map is the size of a feature map, int64 [1] each.
type Map struct{ Height, Width Value }

// Deformable attends to a few points of each feature map (Zhu et al. 2021): query
// [batch, queries, width], image [batch, pixels, width], all maps one after the
// other. sampled turns the offsets of a map, [batch, queries, heads, points, 2],
// into places x, y, shares of the map.
func (n *Net) Deformable(query, image Value, module string, heads int, maps []Map, sampled func(level int, offsets Value) Value) Value {
	d := n.WeightShape(module+".attention_weights.weight", 2)
	levels, width := len(maps), d[1]
	points := d[0] / max(heads*levels, 1)
	queries := n.Dim(query, 1)
	values := n.Linear(image, module+".value_proj")
	offsets := n.Reshape(n.Linear(query, module+".sampling_offsets"), 0, -1, heads, levels, points, 2)
	weights := n.Softmax(n.Reshape(n.Linear(query, module+".attention_weights"), 0, -1, heads, levels*points))
	weights = n.Shaped(n.Transpose(weights, 0, 2, 1, 3), -1, 1, queries, levels*points) // [batch · heads, 1, queries, levels · points]

	n.Need(16)
	from := n.Ints(0)
	var seen []Value
	for level, m := range maps {
		to := n.Add(from, n.Mul(m.Height, m.Width))
		v := n.Transpose(n.Op("Slice", list(values, from, to, n.Ints(1))), 0, 2, 1)
		v = n.Shaped(v, -1, width/heads, m.Height, m.Width)
		at := sampled(level, n.Pick(offsets, 3, level))
		at = n.Shaped(n.Transpose(at, 0, 2, 1, 3, 4), -1, queries, points, 2)
		at = n.Op("Sub", list(n.Mul(at, n.Float(2)), n.Float(1)))
		seen = append(seen, n.Op("GridSample", list(v, at), A("mode", "bilinear"), A("padding_mode", "zeros"), A("align_corners", 0)))
		from = to
	}
	y := n.Mul(n.Concat(3, seen...), weights) // [batch · heads, width / heads, queries, levels · points]
	y = n.Op("ReduceSum", list(y, n.Ints(3)), A("keepdims", 0))
	y = n.Transpose(n.Shaped(y, n.Dim(query, 0), width, -1), 0, 2, 1)
	return n.Linear(y, module+".output_proj")
}
