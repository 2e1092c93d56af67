package official

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

// What the shapes of Grounding-DINO's tensors do not tell.
const (
	gdinoHeads     = 8  // of deformable attention and of the decoder
	gdinoTextHeads = 4  // where text attends to itself and to the image
	gdinoGroups    = 32 // of the norms of its feature maps
	bertHeads      = 12 // of BERT-base
	// farAway is a logit whose sigmoid is 1.
	farAway = 10000
)

// GroundingDINO writes the detector of a checkpoint (groundingdino_swint_ogc.pth;
// docs/sources.md §2), on a Swin Transformer, beside it, with the inputs of the
// authors' own export:
//
//	img              float32 [1, 3, height, width], normalised
//	input_ids        int64 [1, tokens]
//	attention_mask   int64 [1, tokens], 0 for padding
//	position_ids     int64 [1, tokens], within each phrase
//	text_token_mask  bool [1, tokens, tokens]: the tokens of a phrase see each other
//	logits           float32 [1, queries, tokens], −10000 for padding
//	boxes            float32 [1, queries, 4]: centre and size, shares of the image
func GroundingDINO(path, out string) error {
	return build(out, []string{path}, []string{"transformer.level_embed"}, func(n *net) {
		g := gdino{net: n, width: n.shape("transformer.level_embed", 2)[1], levels: n.shape("transformer.level_embed", 2)[0]}
		queries := n.shape("transformer.tgt_embed.weight", 2)[0]
		if n.err != nil {
			return
		}
		img := n.Input("img", protos.TensorProto_FLOAT, 1, 3, "height", "width")
		ids := n.Input("input_ids", protos.TensorProto_INT64, 1, "tokens")
		there := n.Input("attention_mask", protos.TensorProto_INT64, 1, "tokens")
		places := n.Input("position_ids", protos.TensorProto_INT64, 1, "tokens")
		phrases := n.Input("text_token_mask", protos.TensorProto_BOOL, 1, "tokens", "tokens")
		if g.phrases = n.unsqueeze(g.unless(phrases, masked), 1); n.err != nil {
			return
		}
		g.there = n.unsqueeze(n.Op("Cast", list(there), attr("to", int(protos.TensorProto_BOOL))), 1)
		g.padding = g.unless(g.there, masked)
		text := n.linear(g.bert(ids, places), "feat_map")
		g.textPlaces = g.waves(n.unsqueeze(g.float(places), 2), g.width, 10000)

		image := g.image(img)
		for i := range n.count("transformer.encoder.layers", "norm1.weight") {
			image, text = g.encoderLayer(image, text, i)
		}
		boxes, logits := g.decode(image, text, queries)
		n.Named("boxes", "Sigmoid", list(boxes))
		n.Named("logits", "Identity", list(logits))
		n.Output("logits", protos.TensorProto_FLOAT, 1, queries, "tokens")
		n.Output("boxes", protos.TensorProto_FLOAT, 1, queries, 4)
	})
}

// gdino is the detector that is being written.
type gdino struct {
	*net
	width, levels int

	phrases    value // bias of attention between tokens, [1, 1, tokens, tokens]
	there      value // tokens that are no padding, bool [1, 1, tokens]
	padding    value // bias of attention to tokens, [1, 1, tokens]
	textPlaces value // position embeddings of tokens, [1, tokens, width]

	heights, widths []value // of the feature maps, int64 [1]
	imagePlaces     value   // position embeddings of their pixels, [1, pixels, width]
	centres         value   // x and y of these, shares of the map, [1, pixels, 2]
	proposals       value   // a box of a usual size around each, as logits, [1, pixels, 4]
	inner           value   // pixels whose box is wholly inside, bool [1, pixels, 1]
}

func (g *gdino) float(x value) value {
	return g.Op("Cast", list(x), attr("to", int(protos.TensorProto_FLOAT)))
}

// unless is v where a mask is false, else 0.
func (g *gdino) unless(mask value, v float32) value {
	return g.mul(g.Op("Sub", list(g.Float(1), g.float(mask))), g.Float(v))
}

// bert encodes the caption, whose phrases do not see each other.
func (g *gdino) bert(ids, places value) value {
	const e = "bert.embeddings."
	x := g.add(g.Op("Gather", list(g.w(e+"word_embeddings.weight"), ids)), g.Op("Gather", list(g.w(e+"position_embeddings.weight"), places)))
	x = g.layerNorm(g.add(x, g.slice(g.w(e+"token_type_embeddings.weight"), 0, 0, 1)), e+"LayerNorm", bertEps)
	for i := range g.count("bert.encoder.layer", "intermediate.dense.weight") {
		layer := sub("bert.encoder.layer", i)
		x = g.bertAttention(x, x, layer+".attention", bertHeads, g.phrases)
		x = g.bertOutput(x, layer, ".intermediate", ".output")
	}
	return x
}

// image makes the feature maps, [1, pixels, width], all levels one after the
// other, and what follows from their sizes.
func (g *gdino) image(img value) value {
	const b = "backbone.0."
	var maps []value
	var last value
	stages := swin{g.net, b, 0}.stages(img)
	for i, x := range stages {
		if norm := fmt.Sprint(b, "norm", i); g.has(norm + ".weight") {
			last = g.transpose(g.layerNorm(x, norm, torchEps), 0, 3, 1, 2)
			maps = append(maps, g.groupNorm(g.conv(last, sub("input_proj", len(maps))+".0", 1, 0), sub("input_proj", len(maps))+".1"))
		}
	}
	for len(maps) < g.levels && g.err == nil {
		maps = append(maps, g.groupNorm(g.conv(last, sub("input_proj", len(maps))+".0", 2, 1), sub("input_proj", len(maps))+".1"))
		last = maps[len(maps)-1]
	}
	var pixels, places, centres, proposals []value
	for level, x := range maps {
		height, length := g.dim(x, 2), g.dim(x, 3)
		g.heights, g.widths = append(g.heights, height), append(g.widths, length)
		pixels = append(pixels, g.transpose(g.reshape(x, 1, g.width, -1), 0, 2, 1))
		rows, columns := g.counted(height), g.counted(length)
		at := func(count, of value, before float32, eps float32) value { // (count + before) / (of + eps)
			return g.Op("Div", list(g.add(count, g.Float(before)), g.add(g.float(of), g.Float(eps))))
		}
		across := func(rows, columns value, width int) value { // [h, 1, width] and [1, w, width], each over the whole map
			shape := g.concat(0, height, length, g.Ints(width))
			both := g.concat(2, g.Op("Expand", list(rows, shape)), g.Op("Expand", list(columns, shape)))
			return g.reshape(both, 1, -1, 2*width)
		}
		const temperature = 20
		y := g.waves(at(g.reshape(rows, -1, 1, 1), height, 1, 1e-6), g.width/2, temperature)
		x := g.waves(at(g.reshape(columns, 1, -1, 1), length, 1, 1e-6), g.width/2, temperature)
		places = append(places, g.add(across(y, x, g.width/2), g.slice(g.w("transformer.level_embed"), 0, level, level+1)))
		yx := across(at(g.reshape(rows, -1, 1, 1), height, 0.5, 0), at(g.reshape(columns, 1, -1, 1), length, 0.5, 0), 1)
		centre := g.concat(2, g.slice(yx, 2, 1, 2), g.slice(yx, 2, 0, 1))
		centres = append(centres, centre)
		size := float32(0.05 * math.Pow(2, float64(level)))
		proposals = append(proposals, g.concat(2, centre, g.add(g.mul(centre, g.Float(0)), g.Float(size))))
	}
	if g.err != nil {
		return img
	}
	g.imagePlaces, g.centres = g.concat(1, places...), g.concat(1, centres...)
	boxes := g.concat(1, proposals...)
	inside := g.Op("And", list(g.Op("Greater", list(boxes, g.Float(0.01))), g.Op("Less", list(boxes, g.Float(0.99)))))
	least := g.Op("ReduceMin", list(g.float(inside)), attr("axes", []int{2}), attr("keepdims", 1))
	g.inner = g.Op("Greater", list(least, g.Float(0.5)))
	g.proposals = g.Op("Where", list(g.inner, g.logit(boxes), g.Float(farAway)))
	return g.concat(1, pixels...)
}

// counted is 0, 1, … up to a length, float32.
func (g *gdino) counted(length value) value {
	return g.float(g.Op("Range", list(g.IntTable([]int{0}), g.Op("Squeeze", list(length)), g.IntTable([]int{1}))))
}

// logit is the inverse of the sigmoid, of values kept 10⁻⁵ away from 0 and 1.
func (g *gdino) logit(x value) value {
	const eps = 1e-5
	x = g.Op("Clip", list(x, g.Float(eps), g.Float(1-eps)))
	return g.Op("Log", list(g.Op("Div", list(x, g.Op("Sub", list(g.Float(1), x))))))
}

// waves are the sines and cosines, in turns, of x·2π at falling frequencies:
// the last axis of x, of length 1, becomes width.
func (g *gdino) waves(x value, width int, temperature float64) value {
	frequency, even, odd := make([]float32, width), make([]float32, width), make([]float32, width)
	for i := range width {
		frequency[i] = float32(math.Pow(temperature, float64(2*(i/2))/float64(width)))
		even[i], odd[i] = float32(1-i%2), float32(i%2)
	}
	row := func(v []float32) value { return g.Floats(fmt.Sprintf("const_%d", len(g.Graph.Initializer)), v, width) }
	angle := g.Op("Div", list(g.mul(x, g.Float(2*math.Pi)), row(frequency)))
	return g.add(g.mul(g.Op("Sin", list(angle)), row(even)), g.mul(g.Op("Cos", list(angle)), row(odd)))
}

// groupNorm normalises groups of channels of [1, channels, height, width].
func (g *gdino) groupNorm(x value, module string) value {
	ones, zeros := value("group_ones"), value("group_zeros")
	if !g.Has(ones) {
		one := make([]float32, gdinoGroups)
		for i := range one {
			one[i] = 1
		}
		g.Floats(string(ones), one, gdinoGroups)
		g.Floats(string(zeros), make([]float32, gdinoGroups), gdinoGroups)
	}
	y := g.Op("InstanceNormalization", list(g.reshape(x, 1, gdinoGroups, -1), ones, zeros), attr("epsilon", torchEps))
	y = g.Op("Reshape", list(y, g.Op("Shape", list(x))))
	return g.add(g.mul(y, g.reshape(g.w(module+".weight"), 1, -1, 1, 1)), g.reshape(g.w(module+".bias"), 1, -1, 1, 1))
}
