package official

import "math"

// encoderLayer lets image and text look at each other, then each at itself.
func (g *gdino) encoderLayer(image, text value, i int) (value, value) {
	image, text = g.fuse(image, text, sub("transformer.encoder.fusion_layers", i))

	layer := sub("transformer.encoder.text_layers", i)
	placed := g.add(text, g.textPlaces)
	text = g.add(text, g.packed(placed, placed, text, layer+".self_attn", gdinoTextHeads, g.phrases))
	text = g.forward(g.layerNorm(text, layer+".norm1", torchEps), layer, ".norm2")

	layer = sub("transformer.encoder.layers", i)
	y := g.deformable(g.add(image, g.imagePlaces), image, layer+".self_attn", func(level int, offsets value) value {
		size := g.float(g.concat(0, g.widths[level], g.heights[level]))
		return g.add(g.unsqueeze(g.centres, 2, 3), g.Op("Div", list(offsets, size)))
	})
	image = g.forward(g.layerNorm(g.add(image, y), layer+".norm1", torchEps), layer, ".norm2")
	return image, text
}

// fuse is attention of the image to the text and back, by the same scores.
func (g *gdino) fuse(image, text value, layer string) (value, value) {
	v, l := g.layerNorm(image, layer+".layer_norm_v", torchEps), g.layerNorm(text, layer+".layer_norm_l", torchEps)
	inner := g.shape(layer+".attn.v_proj.weight", 2)[0] / gdinoTextHeads
	part := func(x value, name string) value { return g.heads(g.linear(x, layer+".attn."+name), gdinoTextHeads) }
	q, k := part(v, "v_proj"), part(l, "l_proj")
	toText := g.attend(q, k, part(l, "values_l_proj"), inner, g.unsqueeze(g.padding, 1))
	toImage := g.attend(k, q, part(v, "values_v_proj"), inner, "")
	// The norms' outputs, not their inputs, are what is added to.
	image = g.add(v, g.mul(g.w(layer+".gamma_v"), g.linear(g.joined(toText), layer+".attn.out_v_proj")))
	text = g.add(l, g.mul(g.w(layer+".gamma_l"), g.linear(g.joined(toImage), layer+".attn.out_l_proj")))
	return image, text
}

// packed is PyTorch's MultiheadAttention of a module.
func (g *gdino) packed(q, k, v value, module string, heads int, bias value) value {
	width := g.shape(module+".out_proj.weight", 2)[0]
	if g.err != nil {
		return q
	}
	in := func(x value, at int) value {
		w := g.slice(g.w(module+".in_proj_weight"), 0, at*width, (at+1)*width)
		y := g.matMul(x, g.transpose(w, 1, 0))
		return g.heads(g.add(y, g.slice(g.w(module+".in_proj_bias"), 0, at*width, (at+1)*width)), heads)
	}
	return g.linear(g.joined(g.attend(in(q, 0), in(k, 1), in(v, 2), width/heads, bias)), module+".out_proj")
}

// forward is the feed-forward part of a layer, with its norm.
func (g *gdino) forward(x value, layer, norm string) value {
	y := g.linear(g.relu(g.linear(x, layer+".linear1")), layer+".linear2")
	return g.layerNorm(g.add(x, y), layer+norm, torchEps)
}

// deformable attends to a few points of each feature map (Zhu et al. 2021):
// query [1, queries, width], image [1, pixels, width]. sampled turns the offsets
// of a level, [1, queries, heads, points, 2], into places x, y, shares of the
// map.
func (g *gdino) deformable(query, image value, module string, sampled func(level int, offsets value) value) value {
	points := g.shape(module+".attention_weights.weight", 2)[0] / (gdinoHeads * g.levels)
	if g.err != nil {
		return query
	}
	values := g.linear(image, module+".value_proj")
	offsets := g.reshape(g.linear(query, module+".sampling_offsets"), 1, -1, gdinoHeads, g.levels, points, 2)
	weights := g.softmax(g.reshape(g.linear(query, module+".attention_weights"), 1, -1, gdinoHeads, g.levels*points))
	weights = g.unsqueeze(g.transpose(g.reshape(weights, -1, gdinoHeads, g.levels*points), 1, 0, 2), 1) // [heads, 1, queries, levels · points]

	from := g.Ints(0)
	var seen []value
	for level := range g.levels {
		height, length := g.heights[level], g.widths[level]
		to := g.add(from, g.mul(height, length))
		v := g.transpose(g.Op("Slice", list(values, from, to, g.Ints(1))), 0, 2, 1)
		v = g.shaped(v, gdinoHeads, g.width/gdinoHeads, height, length)
		at := sampled(level, g.pick(offsets, 3, level))
		at = g.reshape(g.transpose(at, 0, 2, 1, 3, 4), gdinoHeads, -1, points, 2)
		at = g.Op("Sub", list(g.mul(at, g.Float(2)), g.Float(1)))
		seen = append(seen, g.Op("GridSample", list(v, at), attr("mode", "bilinear"), attr("padding_mode", "zeros"), attr("align_corners", 0)))
		from = to
	}
	y := g.mul(g.concat(3, seen...), weights) // [heads, width / heads, queries, levels · points]
	y = g.Op("ReduceSum", list(y, g.Ints(3)), attr("keepdims", 0))
	y = g.transpose(g.reshape(y, 1, g.width, -1), 0, 2, 1)
	return g.linear(y, module+".output_proj")
}

// decode chooses the pixels that resemble the text most, and moves a query of
// each towards an object. It returns boxes as logits and the queries'
// resemblance to each token.
func (g *gdino) decode(image, text value, queries int) (boxes, logits value) {
	const t = "transformer."
	words := g.transpose(text, 0, 2, 1)
	alike := func(x value) value { return g.Op("Where", list(g.there, g.matMul(x, words), g.Float(masked))) }

	pixels := g.Op("Where", list(g.inner, image, g.Float(0)))
	pixels = g.layerNorm(g.linear(pixels, t+"enc_output"), t+"enc_output_norm", torchEps)
	best := g.Op("ReduceMax", list(alike(pixels)), attr("axes", []int{2}), attr("keepdims", 0))
	chosen := g.Op("Squeeze", list(g.Ops("TopK", 2, list(best, g.Ints(queries)), attr("axis", 1))[1], g.Ints(0)))
	all := g.add(g.mlp(pixels, t+"enc_out_bbox_embed.layers", g.count(t+"enc_out_bbox_embed.layers", "weight")), g.proposals)
	at := g.Op("Sigmoid", list(g.Op("Gather", list(all, chosen), attr("axis", 1))))

	x := g.unsqueeze(g.w(t+"tgt_embed.weight"), 0)
	layers := g.count(t+"decoder.layers", "norm1.weight")
	for i := range layers {
		x = g.decoderLayer(x, image, text, at, sub(t+"decoder.layers", i))
		head := sub("bbox_embed", i) + ".layers"
		if !g.has(head + ".0.weight") {
			head = t + "decoder." + head // the same weights, under the decoder's name
		}
		depth := g.count(head, "weight")
		if i == layers-1 {
			x = g.layerNorm(x, t+"decoder.norm", torchEps)
			boxes = g.add(g.mlp(x, head, depth), g.logit(at))
			break
		}
		at = g.Op("Sigmoid", list(g.add(g.mlp(x, head, depth), g.logit(at))))
	}
	return boxes, alike(x)
}

// decoderLayer lets queries look at each other, at the text and at the image
// around their boxes, [1, queries, 4].
func (g *gdino) decoderLayer(x, image, text, boxes value, layer string) value {
	const head = "transformer.decoder.ref_point_head.layers"
	wave := func(k int) value { return g.waves(g.slice(boxes, 2, k, k+1), g.width/2, 10000) }
	places := g.mlp(g.concat(2, wave(1), wave(0), wave(2), wave(3)), head, g.count(head, "weight"))

	placed := g.add(x, places)
	x = g.layerNorm(g.add(x, g.packed(placed, placed, x, layer+".self_attn", gdinoHeads, "")), layer+".norm2", torchEps)
	y := g.packed(g.add(x, places), text, text, layer+".ca_text", gdinoHeads, g.unsqueeze(g.padding, 1))
	x = g.layerNorm(g.add(x, y), layer+".catext_norm", torchEps)
	centre, size := g.slice(boxes, 2, 0, 2), g.slice(boxes, 2, 2, 4)
	points := g.shape(layer+".cross_attn.attention_weights.weight", 2)[0] / (gdinoHeads * g.levels)
	y = g.deformable(g.add(x, places), image, layer+".cross_attn", func(_ int, offsets value) value {
		moved := g.mul(g.mul(offsets, g.unsqueeze(size, 2, 3)), g.Float(float32(0.5/math.Max(1, float64(points)))))
		return g.add(g.unsqueeze(centre, 2, 3), moved)
	})
	return g.forward(g.layerNorm(g.add(x, y), layer+".norm1", torchEps), layer, ".norm3")
}
