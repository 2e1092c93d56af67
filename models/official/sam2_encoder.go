package official

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/layers"
)

const (
	trunk = "image_encoder.trunk"
	neck  = "image_encoder.neck.convs"
	// sam2Cell is the side of a cell of the embedding, in pixels.
	sam2Cell = 16
)

// SAM2Encoder writes the image encoder of a checkpoint of SAM 2 or 2.1
// (sam2.1_hiera_tiny.pt and its like of Meta, or model.safetensors of Hugging Face;
// docs/sources.md §3.6) beside it, with the inputs and outputs of samexporter's:
//
//	image             float32 [batch, 3, side, side], normalised; side is 1024 for the published ones
//	high_res_feats_0  float32 [batch, 32, side/4, side/4]
//	high_res_feats_1  float32 [batch, 64, side/8, side/8]
//	image_embed       float32 [batch, 256, side/16, side/16]
//
// Sizes are read from the checkpoint. What only videos need is left out.
func SAM2Encoder(path, out string) error {
	return build(out, []string{path}, []string{sam2Meta + " " + sam2Hugging}, func(n *net) {
		n.sam2Names()
		h := n.hieraOf(path)
		levels := n.hieraLevels(h)
		if n.err != nil {
			return
		}
		n.pyramid(levels, h.side)
	})
}

// hieraLevels are the outputs of the four stages, [batch, side, side, channels].
func (n *net) hieraLevels(h hiera) []value {
	if n.err != nil {
		return nil
	}
	kernel := n.WeightShape(trunk+".patch_embed.proj.weight", 4)
	x := n.Input("image", protos.TensorProto_FLOAT, "batch", 3, h.side, h.side)
	x = n.Transpose(n.Convolve(x, trunk+".patch_embed.proj", 4, kernel[2]/2), 0, 2, 3, 1)
	side := h.side / 4
	x = n.Add(x, n.hieraPlaces(side))
	var levels []value
	at := 0
	for stage, blocks := range n.hieraBlocks() {
		for i := range blocks {
			b := hieraBlock{side: side, heads: h.heads << stage, window: h.windows[stage], halve: stage > 0 && i == 0}
			if b.halve { // the window of the stage before, over its map
				b.window = h.windows[stage-1]
				side /= 2
			}
			if slices.Contains(h.global, at) {
				b.window = b.side
			}
			if b.halve && b.window%2 != 0 {
				n.fail(fmt.Errorf("windows of %d in block %d, which halves the map: they must be even", b.window, at))
			}
			x = n.hieraBlock(x, sub(trunk+".blocks", at), b)
			at++
		}
		levels = append(levels, x)
	}
	if len(levels) != 4 {
		n.fail(fmt.Errorf("%s: an image encoder of %d stages: wanted are 4", n.from[0].file, len(levels)))
	}
	return levels
}

// hieraPlaces are the embeddings of the map's places, [1, side, side, channels]: a
// small map enlarged bicubically, and one of the size of a window repeated.
func (n *net) hieraPlaces(side int) value {
	small := n.WeightShape(trunk+".pos_embed", 4)
	window := n.WeightShape(trunk+".pos_embed_window", 4)
	if n.err != nil {
		return ""
	}
	if window[2] != window[3] || side%window[2] != 0 {
		n.fail(fmt.Errorf("%s: position embeddings of windows of %d×%d do not fill a map of %d", n.from[0].file, window[2], window[3], side))
		return ""
	}
	enlarge := func(x value, from int) value { // the last axis
		w := n.Floats(fmt.Sprintf("bicubic_%d", len(n.Graph.Initializer)), layers.CubicWeights(from, side, false), side, from)
		return n.MatMul(x, n.Transpose(w, 1, 0))
	}
	x := enlarge(n.Weight(trunk+".pos_embed"), small[3])
	x = n.Transpose(enlarge(n.Transpose(x, 0, 1, 3, 2), small[2]), 0, 3, 2, 1)
	each := n.Transpose(n.Weight(trunk+".pos_embed_window"), 0, 2, 3, 1)
	return n.Add(x, n.Op("Tile", list(each, n.Ints(1, side/window[2], side/window[2], 1))))
}

// hieraBlock is a block of the image encoder.
type hieraBlock struct {
	side   int // of the map that it takes
	heads  int
	window int  // side for attention to the whole map
	halve  bool // queries, and so its result, are halved in height and width
}

// hieraBlock is attention within windows of x [batch, side, side, channels], and a
// perceptron.
func (n *net) hieraBlock(x value, name string, b hieraBlock) value {
	from, to := n.WeightShape(name+".norm1.weight", 1)[0], n.WeightShape(name+".norm2.weight", 1)[0]
	if n.err != nil {
		return x
	}
	y := n.LayerNorm(x, name+".norm1", samEpsilon)
	cut, windows := n.windows(y, b.side, b.window, from)
	side, window := b.side, b.window // of the result
	if b.halve {
		x = n.halved(n.Linear(y, name+".proj"), side, to)
		side, window = side/2, window/2
	}
	y = n.hieraAttention(n.Reshape(cut, -1, b.window*b.window, from), name+".attn", to, b)
	x = n.Add(x, n.unwindowed(y, windows, window, side, to))
	y = n.Linear(n.LayerNorm(x, name+".norm2", samEpsilon), name+".mlp.layers.0")
	return n.Add(x, n.Linear(n.GELU(y), name+".mlp.layers.1"))
}

// hieraAttention is attention among the window² places of each window, [windows,
// window², channels].
func (n *net) hieraAttention(x value, name string, to int, b hieraBlock) value {
	qkv := n.Linear(x, name+".qkv")
	part := func(i int) value { return n.SliceAxis(qkv, 2, i*to, (i+1)*to) }
	q := part(0)
	if b.halve {
		q = n.Reshape(n.halved(q, b.window, to), -1, b.window*b.window/4, to)
	}
	y := n.Attend(n.Heads(q, b.heads), n.Heads(part(1), b.heads), n.Heads(part(2), b.heads), to/b.heads, "")
	return n.Linear(n.Joined(y), name+".proj")
}

// halved takes the largest of each square of four places of maps [batch, side ·
// side, channels]: [batch, side/2, side/2, channels].
func (n *net) halved(x value, side, channels int) value {
	x = n.Reshape(x, -1, side/2, 2, side/2, 2, channels)
	return n.Op("ReduceMax", list(x), attr("axes", []int{2, 4}), attr("keepdims", 0))
}

// pyramid makes the outputs of the levels, the deepest of which is only added to
// the one above it.
func (n *net) pyramid(levels []value, side int) {
	lateral := func(i int) value {
		name := sub(neck, len(levels)-1-i) + ".conv"
		return n.Convolve(n.Transpose(levels[i], 0, 3, 1, 2), name, 1, n.WeightShape(name+".weight", 4)[2]/2)
	}
	width := n.WeightShape(sub(neck, 0)+".conv.weight", 4)[0]
	deep := side / sam2Cell / 2
	top := n.Op("Expand", list(n.Reshape(lateral(3), -1, width, deep, 1, deep, 1), n.Ints(1, width, deep, 2, deep, 2)))
	embed := n.Add(lateral(2), n.Reshape(top, -1, width, 2*deep, 2*deep))
	embed = n.Add(embed, n.Reshape(n.Weight("no_mem_embed"), 1, width, 1, 1))
	for i, s := range []string{"conv_s0", "conv_s1"} {
		name := fmt.Sprintf("high_res_feats_%d", i)
		s = decoderFor + "." + s
		n.Named(value(name), "Identity", list(n.Convolve(lateral(i), s, 1, 0)))
		n.Output(name, protos.TensorProto_FLOAT, "batch", n.WeightShape(s+".weight", 4)[0], side>>(2+i), side>>(2+i))
	}
	n.Named("image_embed", "Identity", list(embed))
	n.Output("image_embed", protos.TensorProto_FLOAT, "batch", width, 2*deep, 2*deep)
}
