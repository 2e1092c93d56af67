package official

import (
	"math"

	"wsss/models/onnxwrite"
)

// encoderLayer lets image and text look at each other, then each at itself.
func (g *gdino) encoderLayer(image, text value, i int) (value, value) {
	image, text = g.fuse(image, text, sub("transformer.encoder.fusion_layers", i))

	layer := sub("transformer.encoder.text_layers", i)
	placed := g.Add(text, g.textPlaces)
	text = g.Add(text, g.MultiHead(placed, placed, text, layer+".self_attn", gdinoTextHeads, g.phrases))
	text = g.forward(g.LayerNorm(text, layer+".norm1", torchEps), layer, ".norm2")

	layer = sub("transformer.encoder.layers", i)
	y := g.deformable(g.Add(image, g.imagePlaces), image, layer+".self_attn", func(level int, offsets value) value {
		size := g.AsFloat(g.Concat(0, g.widths[level], g.heights[level]))
		return g.Add(g.Unsqueeze(g.centres, 2, 3), g.Op("Div", list(offsets, size)))
	})
	image = g.forward(g.LayerNorm(g.Add(image, y), layer+".norm1", torchEps), layer, ".norm2")
	return image, text
}

// fuse is attention of the image to the text and back, by the same scores.
func (g *gdino) fuse(image, text value, layer string) (value, value) {
	v, l := g.LayerNorm(image, layer+".layer_norm_v", torchEps), g.LayerNorm(text, layer+".layer_norm_l", torchEps)
	inner := g.WeightShape(layer+".attn.v_proj.weight", 2)[0] / gdinoTextHeads
	part := func(x value, name string) value { return g.Heads(g.Linear(x, layer+".attn."+name), gdinoTextHeads) }
	q, k := part(v, "v_proj"), part(l, "l_proj")
	toText := g.Attend(q, k, part(l, "values_l_proj"), inner, g.Unsqueeze(g.padding, 1))
	toImage := g.Attend(k, q, part(v, "values_v_proj"), inner, "")
	// The norms' outputs, not their inputs, are what is added to.
	image = g.Add(v, g.Mul(g.Weight(layer+".gamma_v"), g.Linear(g.Joined(toText), layer+".attn.out_v_proj")))
	text = g.Add(l, g.Mul(g.Weight(layer+".gamma_l"), g.Linear(g.Joined(toImage), layer+".attn.out_l_proj")))
	return image, text
}

// forward is the feed-forward part of a layer, with its norm.
func (g *gdino) forward(x value, layer, norm string) value {
	y := g.Linear(g.ReLU(g.Linear(x, layer+".linear1")), layer+".linear2")
	return g.LayerNorm(g.Add(x, y), layer+norm, torchEps)
}

// deformable is attention of queries to the feature maps.
func (g *gdino) deformable(query, image value, module string, sampled func(level int, offsets value) value) value {
	maps := make([]onnxwrite.Map, len(g.heights))
	for i := range maps {
		maps[i] = onnxwrite.Map{Height: g.heights[i], Width: g.widths[i]}
	}
	return g.Deformable(query, image, module, gdinoHeads, maps, sampled)
}

// decode chooses the pixels that resemble the text most, and moves a query of
// each towards an object. It returns boxes as logits and the queries'
// resemblance to each token.
func (g *gdino) decode(image, text value, queries int) (boxes, logits value) {
	const t = "transformer."
	words := g.Transpose(text, 0, 2, 1)
	alike := func(x value, bias string) value {
		y := g.MatMul(x, words)
		if g.HasWeight(bias) { // MM-Grounding-DINO's
			y = g.Add(g.Mul(y, g.Float(float32(1/math.Sqrt(float64(g.width))))), g.Weight(bias))
		}
		return g.Op("Where", list(g.there, y, g.Float(masked)))
	}
	// of is the module of a layer, or of the first one where all layers share it;
	// weights may be under the decoder's name.
	of := func(module string, layer int, leaf string) string {
		for _, name := range []string{sub(module, layer), t + "decoder." + sub(module, layer), sub(module, 0), t + "decoder." + sub(module, 0)} {
			if g.HasWeight(name + leaf) {
				return name
			}
		}
		return sub(module, layer)
	}

	pixels := g.Op("Where", list(g.inner, image, g.Float(0)))
	pixels = g.LayerNorm(g.Linear(pixels, t+"enc_output"), t+"enc_output_norm", torchEps)
	best := g.Op("ReduceMax", list(alike(pixels, t+"enc_out_class_embed.bias")), attr("axes", []int{2}), attr("keepdims", 0))
	chosen := g.Unsqueeze(g.Ops("TopK", 2, list(best, g.Ints(queries)), attr("axis", 1))[1], 2)
	all := g.Add(g.MLP(pixels, t+"enc_out_bbox_embed.layers", g.Count(t+"enc_out_bbox_embed.layers", "weight")), g.proposals)
	at := g.Op("Sigmoid", list(g.Op("GatherND", list(all, chosen), attr("batch_dims", 1))))

	x := g.eachOf(g.Unsqueeze(g.Weight(t+"tgt_embed.weight"), 0), image)
	layers := g.Count(t+"decoder.layers", "norm1.weight")
	for i := range layers {
		x = g.decoderLayer(x, image, text, at, sub(t+"decoder.layers", i))
		head := of("bbox_embed", i, ".layers.0.weight") + ".layers"
		depth := g.Count(head, "weight")
		if i == layers-1 {
			x = g.LayerNorm(x, t+"decoder.norm", torchEps)
			boxes = g.Add(g.MLP(x, head, depth), g.logit(at))
			break
		}
		at = g.Op("Sigmoid", list(g.Add(g.MLP(x, head, depth), g.logit(at))))
	}
	return boxes, alike(x, of("class_embed", layers-1, ".bias")+".bias")
}

// decoderLayer lets queries look at each other, at the text and at the image
// around their boxes, [batch, queries, 4].
func (g *gdino) decoderLayer(x, image, text, boxes value, layer string) value {
	const head = "transformer.decoder.ref_point_head.layers"
	wave := func(k int) value { return g.Waves(g.SliceAxis(boxes, 2, k, k+1), g.width/2, 10000) }
	places := g.MLP(g.Concat(2, wave(1), wave(0), wave(2), wave(3)), head, g.Count(head, "weight"))

	placed := g.Add(x, places)
	x = g.LayerNorm(g.Add(x, g.MultiHead(placed, placed, x, layer+".self_attn", gdinoHeads, "")), layer+".norm2", torchEps)
	y := g.MultiHead(g.Add(x, places), text, text, layer+".ca_text", gdinoHeads, g.Unsqueeze(g.padding, 1))
	x = g.LayerNorm(g.Add(x, y), layer+".catext_norm", torchEps)
	centre, size := g.SliceAxis(boxes, 2, 0, 2), g.SliceAxis(boxes, 2, 2, 4)
	points := g.WeightShape(layer+".cross_attn.attention_weights.weight", 2)[0] / (gdinoHeads * g.levels)
	y = g.deformable(g.Add(x, places), image, layer+".cross_attn", func(_ int, offsets value) value {
		moved := g.Mul(g.Mul(offsets, g.Unsqueeze(size, 2, 3)), g.Float(float32(0.5/math.Max(1, float64(points)))))
		return g.Add(g.Unsqueeze(centre, 2, 3), moved)
	})
	return g.forward(g.LayerNorm(g.Add(x, y), layer+".norm1", torchEps), layer, ".norm3")
}
