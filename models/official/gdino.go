package official

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/swin"
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
// docs/sources.md §2), on a Swin Transformer, beside it, or that of a file of
// transformers' GroundingDinoForObjectDetection and
// MMGroundingDinoForObjectDetection: MM-Grounding-DINO and LLMDet, which compare
// queries with tokens at a scale of their own. Its inputs are those of the authors'
// own export:
//
//	img              float32 [batch, 3, height, width], normalised
//	input_ids        int64 [batch, tokens]
//	attention_mask   int64 [batch, tokens], 0 for padding
//	position_ids     int64 [batch, tokens], within each phrase
//	text_token_mask  bool [batch, tokens, tokens]: the tokens of a phrase see each other
//	logits           float32 [batch, queries, tokens], −10000 for padding
//	boxes            float32 [batch, queries, 4]: centre and size, shares of the image
func GroundingDINO(path, out string) error {
	return build(out, []string{path}, []string{gdinoAuthors + " " + gdinoHugging}, func(n *net) {
		if c := n.from[0]; c.has(gdinoHugging) {
			c, err := huggingGDINO(c)
			if n.fail(err); err != nil {
				return
			}
			n.from[0] = c
		}
		g := gdino{net: n, width: n.WeightShape("transformer.level_embed", 2)[1], levels: n.WeightShape("transformer.level_embed", 2)[0]}
		queries := n.WeightShape("transformer.tgt_embed.weight", 2)[0]
		if n.err != nil {
			return
		}
		img := n.Input("img", protos.TensorProto_FLOAT, "batch", 3, "height", "width")
		ids := n.Input("input_ids", protos.TensorProto_INT64, "batch", "tokens")
		there := n.Input("attention_mask", protos.TensorProto_INT64, "batch", "tokens")
		places := n.Input("position_ids", protos.TensorProto_INT64, "batch", "tokens")
		phrases := n.Input("text_token_mask", protos.TensorProto_BOOL, "batch", "tokens", "tokens")
		if g.phrases = n.Unsqueeze(g.unless(phrases, masked), 1); n.err != nil {
			return
		}
		g.there = n.Unsqueeze(n.Op("Cast", list(there), attr("to", int(protos.TensorProto_BOOL))), 1)
		g.padding = g.unless(g.there, masked)
		text := n.Linear(g.bert(ids, places), "feat_map")
		g.textPlaces = g.Waves(n.Unsqueeze(g.AsFloat(places), 2), g.width, 10000)

		image := g.image(img)
		for i := range n.Count("transformer.encoder.layers", "norm1.weight") {
			image, text = g.encoderLayer(image, text, i)
		}
		boxes, logits := g.decode(image, text, queries)
		n.Named("boxes", "Sigmoid", list(boxes))
		n.Named("logits", "Identity", list(logits))
		n.Output("logits", protos.TensorProto_FLOAT, "batch", queries, "tokens")
		n.Output("boxes", protos.TensorProto_FLOAT, "batch", queries, 4)
	})
}

// gdino is the detector that is being written.
type gdino struct {
	*net
	width, levels int

	phrases    value // bias of attention between tokens, [batch, 1, tokens, tokens]
	there      value // tokens that are no padding, bool [batch, 1, tokens]
	padding    value // bias of attention to tokens, [batch, 1, tokens]
	textPlaces value // position embeddings of tokens, [batch, tokens, width]

	heights, widths []value // of the feature maps, int64 [1]
	imagePlaces     value   // position embeddings of their pixels, [1, pixels, width]
	centres         value   // x and y of these, shares of the map, [1, pixels, 2]
	proposals       value   // a box of a usual size around each, as logits, [1, pixels, 4]
	inner           value   // pixels whose box is wholly inside, bool [1, pixels, 1]
}

// unless is v where a mask is false, else 0.
func (g *gdino) unless(mask value, v float32) value {
	return g.Mul(g.Op("Sub", list(g.Float(1), g.AsFloat(mask))), g.Float(v))
}

// bert encodes the caption, whose phrases do not see each other.
func (g *gdino) bert(ids, places value) value {
	const e = "bert.embeddings."
	x := g.Add(g.Op("Gather", list(g.Weight(e+"word_embeddings.weight"), ids)), g.Op("Gather", list(g.Weight(e+"position_embeddings.weight"), places)))
	x = g.LayerNorm(g.Add(x, g.SliceAxis(g.Weight(e+"token_type_embeddings.weight"), 0, 0, 1)), e+"LayerNorm", bertEps)
	for i := range g.Count("bert.encoder.layer", "intermediate.dense.weight") {
		layer := sub("bert.encoder.layer", i)
		x = g.bertAttention(x, x, layer+".attention", bertHeads, g.phrases)
		x = g.bertOutput(x, layer, ".intermediate", ".output")
	}
	return x
}

// image makes the feature maps, [batch, pixels, width], all levels one after the
// other, and what follows from their sizes.
func (g *gdino) image(img value) value {
	const b = "backbone.0."
	var maps []value
	var last value
	stages := swin.Writer{Net: g.Net, Prefix: b}.Stages(img)
	for i, x := range stages {
		if norm := fmt.Sprint(b, "norm", i); g.HasWeight(norm + ".weight") {
			last = g.Transpose(g.LayerNorm(x, norm, torchEps), 0, 3, 1, 2)
			maps = append(maps, g.GroupNorm(g.Convolve(last, sub("input_proj", len(maps))+".0", 1, 0), sub("input_proj", len(maps))+".1", gdinoGroups))
		}
	}
	for len(maps) < g.levels && g.err == nil {
		maps = append(maps, g.GroupNorm(g.Convolve(last, sub("input_proj", len(maps))+".0", 2, 1), sub("input_proj", len(maps))+".1", gdinoGroups))
		last = maps[len(maps)-1]
	}
	var pixels, places, centres, proposals []value
	for level, x := range maps {
		height, length := g.Dim(x, 2), g.Dim(x, 3)
		g.heights, g.widths = append(g.heights, height), append(g.widths, length)
		pixels = append(pixels, g.Transpose(g.Reshape(x, 0, g.width, -1), 0, 2, 1))
		rows, columns := g.Counted(height), g.Counted(length)
		at := func(count, of value, before float32, eps float32) value { // (count + before) / (of + eps)
			return g.Op("Div", list(g.Add(count, g.Float(before)), g.Add(g.AsFloat(of), g.Float(eps))))
		}
		across := func(rows, columns value, width int) value { // [h, 1, width] and [1, w, width], each over the whole map
			shape := g.Concat(0, height, length, g.Ints(width))
			both := g.Concat(2, g.Op("Expand", list(rows, shape)), g.Op("Expand", list(columns, shape)))
			return g.Reshape(both, 1, -1, 2*width)
		}
		const temperature = 20
		y := g.Waves(at(g.Reshape(rows, -1, 1, 1), height, 1, 1e-6), g.width/2, temperature)
		x := g.Waves(at(g.Reshape(columns, 1, -1, 1), length, 1, 1e-6), g.width/2, temperature)
		places = append(places, g.Add(across(y, x, g.width/2), g.SliceAxis(g.Weight("transformer.level_embed"), 0, level, level+1)))
		yx := across(at(g.Reshape(rows, -1, 1, 1), height, 0.5, 0), at(g.Reshape(columns, 1, -1, 1), length, 0.5, 0), 1)
		centre := g.Concat(2, g.SliceAxis(yx, 2, 1, 2), g.SliceAxis(yx, 2, 0, 1))
		centres = append(centres, centre)
		size := float32(0.05 * math.Pow(2, float64(level)))
		proposals = append(proposals, g.Concat(2, centre, g.Add(g.Mul(centre, g.Float(0)), g.Float(size))))
	}
	if g.err != nil {
		return img
	}
	g.imagePlaces, g.centres = g.Concat(1, places...), g.Concat(1, centres...)
	boxes := g.Concat(1, proposals...)
	inside := g.Op("And", list(g.Op("Greater", list(boxes, g.Float(0.01))), g.Op("Less", list(boxes, g.Float(0.99)))))
	least := g.Op("ReduceMin", list(g.AsFloat(inside)), attr("axes", []int{2}), attr("keepdims", 1))
	g.inner = g.Op("Greater", list(least, g.Float(0.5)))
	g.proposals = g.Op("Where", list(g.inner, g.logit(boxes), g.Float(farAway)))
	return g.Concat(1, pixels...)
}

// logit is the inverse of the sigmoid, of values kept 10⁻⁵ away from 0 and 1.
func (g *gdino) logit(x value) value {
	const eps = 1e-5
	x = g.Op("Clip", list(x, g.Float(eps), g.Float(1-eps)))
	return g.Op("Log", list(g.Op("Div", list(x, g.Op("Sub", list(g.Float(1), x))))))
}
