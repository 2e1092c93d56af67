package official

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

const samEpsilon = 1e-6 // of the encoder's norms, and of those over channels

// SAMEncoder writes the image encoder of a checkpoint of Segment Anything
// (sam_vit_h_4b8939.pth, …_l_…, …_b_…; docs/sources.md §3.1) beside it:
//
//	pixel_values      float32 [batch, 3, side, side], normalised
//	image_embeddings  float32 [batch, 256, side/16, side/16]
//
// Sizes are read from the checkpoint.
func SAMEncoder(path, out string) error {
	return build(out, []string{path}, []string{"image_encoder.pos_embed"}, func(n *net) {
		const e = "image_encoder"
		grid := n.WeightShape(e+".pos_embed", 4) // [1, grid, grid, width]
		kernel := n.WeightShape(e+".patch_embed.proj.weight", 4)
		side := grid[1] * kernel[2]
		x := n.Input("pixel_values", protos.TensorProto_FLOAT, "batch", 3, side, side)
		x = n.Transpose(n.Convolve(x, e+".patch_embed.proj", kernel[2], 0), 0, 2, 3, 1)
		x = n.Add(x, n.Weight(e+".pos_embed"))
		for i := range n.Count(e+".blocks", "norm1.weight") {
			x = n.samBlock(x, sub(e+".blocks", i), grid[1], grid[3])
		}
		x = n.Convolve(n.Transpose(x, 0, 3, 1, 2), e+".neck.0", 1, 0)
		x = n.Convolve(n.ChannelNorm(x, e+".neck.1", samEpsilon), e+".neck.2", 1, 1)
		n.Named("image_embeddings", "Identity", list(n.ChannelNorm(x, e+".neck.3", samEpsilon)))
		n.Output("image_embeddings", protos.TensorProto_FLOAT, "batch", n.WeightShape(e+".neck.2.weight", 4)[0], grid[1], grid[1])
	})
}

// samBlock is a transformer block over [batch, grid, grid, width], with attention
// in windows where its table of relative positions is shorter than the grid.
func (n *net) samBlock(x value, name string, grid, width int) value {
	table := n.WeightShape(name+".attn.rel_pos_h", 2) // [2·window − 1, width of a head]
	if n.err != nil || table[1] == 0 {
		return x
	}
	window := (table[0] + 1) / 2
	y := n.LayerNorm(x, name+".norm1", samEpsilon)
	if window < grid {
		cut, windows := n.windows(y, grid, window, width)
		y = n.samAttention(cut, name+".attn", window, width, table[1])
		y = n.unwindowed(y, windows, window, grid, width)
	} else {
		y = n.samAttention(y, name+".attn", grid, width, table[1])
	}
	x = n.Add(x, y)
	y = n.Linear(n.LayerNorm(x, name+".norm2", samEpsilon), name+".mlp.lin1")
	return n.Add(x, n.Linear(n.GELU(y), name+".mlp.lin2"))
}

// windows cuts maps [batch, side, side, width], filled up with zeros below and on the
// right, into so many windows along each axis: [batch · windows², window, window, width].
func (n *net) windows(x value, side, window, width int) (cut value, windows int) {
	windows = (side + window - 1) / window
	if pad := windows*window - side; pad > 0 {
		x = n.Op("Pad", list(x, n.Ints(0, 0, 0, 0, 0, pad, pad, 0)))
	}
	x = n.Reshape(x, -1, windows, window, windows, window, width)
	return n.Reshape(n.Transpose(x, 0, 1, 3, 2, 4, 5), -1, window, window, width), windows
}

// unwindowed is the way back, [batch, side, side, width].
func (n *net) unwindowed(x value, windows, window, side, width int) value {
	x = n.Transpose(n.Reshape(x, -1, windows, windows, window, window, width), 0, 1, 3, 2, 4, 5)
	x = n.Reshape(x, -1, windows*window, windows*window, width)
	if windows*window > side {
		x = n.Op("Slice", list(x, n.Ints(0, 0), n.Ints(side, side), n.Ints(1, 2)))
	}
	return x
}

// samAttention is attention among the side² places of each of some windows, of all
// images, with relative positions for rows and columns.
func (n *net) samAttention(x value, name string, side, width, headWidth int) value {
	heads, tokens := width/headWidth, side*side
	qkv := n.Reshape(n.Linear(x, name+".qkv"), -1, tokens, 3, heads, headWidth)
	qkv = n.Reshape(n.Transpose(qkv, 2, 0, 3, 1, 4), 3, -1, tokens, headWidth) // of windows · heads
	part := func(i int) value { return n.Pick(qkv, 0, i) }
	q, k, v := part(0), part(1), part(2)

	scaled := n.Mul(q, n.Float(float32(1/math.Sqrt(float64(headWidth)))))
	scores := n.Reshape(n.MatMul(scaled, n.Transpose(k, 0, 2, 1)), -1, side, side, side, side)
	square := n.Reshape(q, -1, side, side, headWidth)
	rows := n.MatMul(square, n.relative(name+".rel_pos_h", side))
	columns := n.MatMul(n.Transpose(square, 0, 2, 1, 3), n.relative(name+".rel_pos_w", side))
	scores = n.Add(scores, n.Unsqueeze(rows, 4))
	scores = n.Add(scores, n.Unsqueeze(n.Transpose(columns, 0, 2, 1, 3), 3))
	y := n.MatMul(n.Softmax(n.Reshape(scores, -1, tokens, tokens)), v)
	y = n.Transpose(n.Reshape(y, -1, heads, side, side, headWidth), 0, 2, 3, 1, 4)
	return n.Linear(n.Reshape(y, -1, side, side, width), name+".proj")
}

// relative spreads a table of relative positions over pairs of places: [side of
// queries, width, side of keys].
func (n *net) relative(name string, side int) value {
	at := make([]int, 0, side*side)
	for q := range side {
		for k := range side {
			at = append(at, q-k+side-1)
		}
	}
	return n.Transpose(n.Op("Gather", list(n.Weight(name), n.IntTable(at, side, side))), 0, 2, 1)
}
