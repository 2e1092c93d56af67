package official

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

// sub is the i-th module of a list.
func sub(module string, i int) string { return fmt.Sprintf("%s.%d", module, i) }

const samEpsilon = 1e-6 // of the encoder's norms, and of those over channels

// SAMEncoder writes the image encoder of a checkpoint of Segment Anything
// (sam_vit_h_4b8939.pth, …_l_…, …_b_…; docs/sources.md §3.1) beside it:
//
//	pixel_values      float32 [1, 3, side, side], normalised
//	image_embeddings  float32 [1, 256, side/16, side/16]
//
// Sizes are read from the checkpoint.
func SAMEncoder(path, out string) error {
	return build(out, []string{path}, []string{"image_encoder.pos_embed"}, func(n *net) {
		const e = "image_encoder"
		grid := n.shape(e+".pos_embed", 4) // [1, grid, grid, width]
		kernel := n.shape(e+".patch_embed.proj.weight", 4)
		side := grid[1] * kernel[2]
		x := n.Input("pixel_values", protos.TensorProto_FLOAT, 1, 3, side, side)
		x = n.transpose(n.conv(x, e+".patch_embed.proj", kernel[2], 0), 0, 2, 3, 1)
		x = n.add(x, n.w(e+".pos_embed"))
		for i := range n.count(e+".blocks", "norm1.weight") {
			x = n.samBlock(x, sub(e+".blocks", i), grid[1], grid[3])
		}
		x = n.conv(n.transpose(x, 0, 3, 1, 2), e+".neck.0", 1, 0)
		x = n.conv(n.channelNorm(x, e+".neck.1", samEpsilon), e+".neck.2", 1, 1)
		n.Named("image_embeddings", "Identity", list(n.channelNorm(x, e+".neck.3", samEpsilon)))
		n.Output("image_embeddings", protos.TensorProto_FLOAT, 1, n.shape(e+".neck.2.weight", 4)[0], grid[1], grid[1])
	})
}

// samBlock is a transformer block over [1, grid, grid, width], with attention
// in windows where its table of relative positions is shorter than the grid.
func (n *net) samBlock(x value, name string, grid, width int) value {
	table := n.shape(name+".attn.rel_pos_h", 2) // [2·window − 1, width of a head]
	if n.err != nil || table[1] == 0 {
		return x
	}
	window := (table[0] + 1) / 2
	y := n.layerNorm(x, name+".norm1", samEpsilon)
	if window < grid {
		windows := (grid + window - 1) / window
		if pad := windows*window - grid; pad > 0 {
			y = n.Op("Pad", list(y, n.Ints(0, 0, 0, 0, 0, pad, pad, 0)))
		}
		y = n.reshape(y, windows, window, windows, window, width)
		y = n.reshape(n.transpose(y, 0, 2, 1, 3, 4), windows*windows, window, window, width)
		y = n.samAttention(y, name+".attn", windows*windows, window, width, table[1])
		y = n.transpose(n.reshape(y, windows, windows, window, window, width), 0, 2, 1, 3, 4)
		y = n.reshape(y, 1, windows*window, windows*window, width)
		if windows*window > grid {
			y = n.Op("Slice", list(y, n.Ints(0, 0), n.Ints(grid, grid), n.Ints(1, 2)))
		}
	} else {
		y = n.samAttention(y, name+".attn", 1, grid, width, table[1])
	}
	x = n.add(x, y)
	y = n.linear(n.layerNorm(x, name+".norm2", samEpsilon), name+".mlp.lin1")
	return n.add(x, n.linear(n.gelu(y), name+".mlp.lin2"))
}

// samAttention is attention among the side² places of each of some windows,
// with relative positions for rows and columns.
func (n *net) samAttention(x value, name string, windows, side, width, headWidth int) value {
	heads := width / headWidth
	batch, tokens := windows*heads, side*side
	qkv := n.reshape(n.linear(x, name+".qkv"), windows, tokens, 3, heads, headWidth)
	qkv = n.reshape(n.transpose(qkv, 2, 0, 3, 1, 4), 3, batch, tokens, headWidth)
	part := func(i int) value { return n.pick(qkv, 0, i) }
	q, k, v := part(0), part(1), part(2)

	scaled := n.mul(q, n.Float(float32(1/math.Sqrt(float64(headWidth)))))
	scores := n.reshape(n.matMul(scaled, n.transpose(k, 0, 2, 1)), batch, side, side, side, side)
	square := n.reshape(q, batch, side, side, headWidth)
	rows := n.matMul(square, n.relative(name+".rel_pos_h", side))
	columns := n.matMul(n.transpose(square, 0, 2, 1, 3), n.relative(name+".rel_pos_w", side))
	scores = n.add(scores, n.unsqueeze(rows, 4))
	scores = n.add(scores, n.unsqueeze(n.transpose(columns, 0, 2, 1, 3), 3))
	y := n.matMul(n.softmax(n.reshape(scores, batch, tokens, tokens)), v)
	y = n.transpose(n.reshape(y, windows, heads, side, side, headWidth), 0, 2, 3, 1, 4)
	return n.linear(n.reshape(y, windows, side, side, width), name+".proj")
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
	return n.transpose(n.Op("Gather", list(n.w(name), n.IntTable(at, side, side))), 0, 2, 1)
}
