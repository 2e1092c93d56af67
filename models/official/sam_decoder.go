package official

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

const (
	samHeads   = 8    // of the decoder's attention, in all published models
	torchEps   = 1e-5 // PyTorch's default of LayerNorm
	decoderFor = "mask_decoder"
	promptFor  = "prompt_encoder"
	gaussian   = promptFor + ".pe_layer.positional_encoding_gaussian_matrix"
)

// SAMDecoder writes the prompt encoder and the mask decoder of a checkpoint of
// Segment Anything (docs/sources.md §3.2, §3.3) beside it, with the inputs of
// Meta's own export, and all four masks as outputs:
//
//	image_embeddings  float32 [1, 256, grid, grid]
//	point_coords      float32 [prompts, points, 2], in pixels of the square
//	point_labels      float32 [prompts, points]: 1, 0, 2 and 3 for a box's corners, -1 for none
//	mask_input        float32 [prompts or 1, 1, 4·grid, 4·grid]: logits of an earlier pass
//	has_mask_input    float32 [1]
//	low_res_masks     float32 [prompts, 4, 4·grid, 4·grid]
//	iou_predictions   float32 [prompts, 4]
func SAMDecoder(path, out string) error {
	marks := []string{"mask_decoder.iou_token.weight"}
	return build(out, []string{path}, marks, func(n *net) {
		grid := n.WeightShape("image_encoder.pos_embed", 4)[1]
		patch := n.WeightShape("image_encoder.patch_embed.proj.weight", 4)[2]
		width := n.WeightShape(decoderFor+".iou_token.weight", 2)[1]
		low := 4 * grid
		image := n.Input("image_embeddings", protos.TensorProto_FLOAT, 1, width, grid, grid)
		coords := n.Input("point_coords", protos.TensorProto_FLOAT, "prompts", "points", 2)
		labels := n.Input("point_labels", protos.TensorProto_FLOAT, "prompts", "points")
		mask := n.Input("mask_input", protos.TensorProto_FLOAT, "masks", 1, low, low)
		has := n.Input("has_mask_input", protos.TensorProto_FLOAT, 1)

		points := n.samPoints(coords, labels, float32(grid*patch))
		dense := n.samMask(mask, has)
		src := n.Add(image, dense)
		src = n.Transpose(n.Reshape(src, 0, width, grid*grid), 0, 2, 1)
		masks := n.WeightShape(decoderFor+".mask_tokens.weight", 2)[0]
		a := n.samMasks(samInputs{src: src, places: n.samPlaces(grid), points: points}, width, grid, masks)
		n.Named("low_res_masks", "Identity", list(a.masks))
		n.Named("iou_predictions", "Identity", list(a.iou))
		n.Output("low_res_masks", protos.TensorProto_FLOAT, "prompts", masks, low, low)
		n.Output("iou_predictions", protos.TensorProto_FLOAT, "prompts", masks)
	})
}

// fourier gives positions in 0..1, [.., 2], their random Fourier features by a
// matrix of frequencies.
func (n *net) fourier(at value, frequencies string) value {
	x := n.Op("Sub", list(n.Mul(at, n.Float(2)), n.Float(1)))
	x = n.MatMul(x, n.Weight(frequencies))
	x = n.Mul(x, n.Float(2*math.Pi))
	return n.Concat(-1, n.Op("Sin", list(x)), n.Op("Cos", list(x)))
}

// samPlaces are the features of the grid's cells, [1, cells, width].
func (n *net) samPlaces(grid int) value {
	at := make([]float32, 0, 2*grid*grid)
	for y := range grid {
		for x := range grid {
			at = append(at, (float32(x)+0.5)/float32(grid), (float32(y)+0.5)/float32(grid))
		}
	}
	frequencies := gaussian
	if n.HasWeight(sharedGaussian) {
		frequencies = sharedGaussian
	}
	return n.fourier(n.Floats("cells", at, 1, grid*grid, 2), frequencies)
}

// samPoints embeds points and corners of boxes, [prompts, points, width].
func (n *net) samPoints(coords, labels value, side float32) value {
	at := n.Op("Div", list(n.Add(coords, n.Float(0.5)), n.Float(side)))
	labels = n.Unsqueeze(labels, -1)
	is := func(label float32) value {
		return n.AsFloat(n.Op("Equal", list(labels, n.Float(label))))
	}
	none := is(-1)
	x := n.Mul(n.fourier(at, gaussian), n.Op("Sub", list(n.Float(1), none)))
	x = n.Add(x, n.Mul(none, n.Weight(promptFor+".not_a_point_embed.weight")))
	for i := range 4 {
		x = n.Add(x, n.Mul(is(float32(i)), n.samPoint(i)))
	}
	return x
}

// samPoint is the embedding of points of a label, of a table of its own or a row of
// one.
func (n *net) samPoint(label int) value {
	if all := promptFor + ".point_embed.weight"; n.HasWeight(all) {
		return n.SliceAxis(n.Weight(all), 0, label, label+1)
	}
	return n.Weight(sub(promptFor+".point_embeddings", label) + ".weight")
}

// samMask embeds an earlier mask, or its absence.
func (n *net) samMask(mask, has value) value {
	const m = promptFor + ".mask_downscaling"
	x := n.GELU(n.ChannelNorm(n.Convolve(mask, m+".0", 2, 0), m+".1", samEpsilon))
	x = n.GELU(n.ChannelNorm(n.Convolve(x, m+".3", 2, 0), m+".4", samEpsilon))
	x = n.Mul(has, n.Convolve(x, m+".6", 1, 0))
	width := n.WeightShape(promptFor+".no_mask_embed.weight", 2)[1]
	none := n.Reshape(n.Weight(promptFor+".no_mask_embed.weight"), 1, width, 1, 1)
	return n.Add(x, n.Mul(n.Op("Sub", list(n.Float(1), has)), none))
}

// samInputs are what the mask decoder works from.
type samInputs struct {
	src    value    // [1 or prompts, cells, width]
	places value    // features of the cells' places
	points value    // embedded, [prompts, points, width]
	fine   [2]value // SAM 2's finer maps, four and two times the grid; "" without
}

// samAnswer is what it finds.
type samAnswer struct {
	masks  value // logits, [prompts, masks, 4·grid, 4·grid]
	iou    value // [prompts, masks]
	object value // logits of an object being there, [prompts, 1]; SAM 2's
}

// samMasks is the mask decoder: tokens and image attend to each other, then
// tokens become masks and scores.
func (n *net) samMasks(in samInputs, width, grid, masks int) (a samAnswer) {
	own := list(n.Weight(decoderFor+".iou_token.weight"), n.Weight(decoderFor+".mask_tokens.weight"))
	first := 0 // the token of the IoUs
	if object := decoderFor + ".obj_score_token.weight"; n.HasWeight(object) {
		own, first = append(list(n.Weight(object)), own...), 1
	}
	prompts := n.SliceAxis(n.Op("Shape", list(in.points)), 0, 0, 1)
	tokens := n.Op("Expand", list(n.Unsqueeze(n.Concat(0, own...), 0), n.Concat(0, prompts, n.Ints(first+1+masks, width))))
	tokens = n.Concat(1, tokens, in.points)

	hs, keys := n.twoWay(tokens, in.src, in.places, width)
	x := n.Reshape(n.Transpose(keys, 0, 2, 1), 0, width, grid, grid)
	const up = decoderFor + ".output_upscaling"
	finer := func(x, with value) value {
		if with == "" {
			return x
		}
		return n.Add(x, with)
	}
	x = n.GELU(n.ChannelNorm(finer(n.UpConvolve(x, up+".0"), in.fine[1]), up+".1", samEpsilon))
	x = n.GELU(finer(n.UpConvolve(x, up+".3"), in.fine[0]))
	low, narrow := 4*grid, n.WeightShape(up+".3.weight", 4)[1]
	perceptron := func(token int, name string) value {
		return n.MLP(n.Pick(hs, 1, token), decoderFor+"."+name+".layers", n.Count(decoderFor+"."+name+".layers", "weight"))
	}
	var kernels []value
	for i := range masks {
		kernels = append(kernels, n.Unsqueeze(perceptron(first+1+i, sub("output_hypernetworks_mlps", i)), 1))
	}
	out := n.MatMul(n.Concat(1, kernels...), n.Reshape(x, 0, narrow, low*low))
	a.masks = n.Op("Reshape", list(out, n.Ints(0, masks, low, low)))
	a.iou = perceptron(first, "iou_prediction_head")
	if first == 1 {
		a.object = perceptron(0, "pred_obj_score_head")
	}
	return a
}

// twoWay is the transformer between tokens and the image's cells.
func (n *net) twoWay(tokens, keys, places value, width int) (hs, image value) {
	const t = decoderFor + ".transformer"
	queries := tokens
	for i := range n.Count(t+".layers", "norm1.weight") {
		name := sub(t+".layers", i)
		if i == 0 {
			queries = n.samCross(queries, queries, queries, name+".self_attn")
		} else {
			q := n.Add(queries, tokens)
			queries = n.Add(queries, n.samCross(q, q, queries, name+".self_attn"))
		}
		queries = n.LayerNorm(queries, name+".norm1", torchEps)
		q, k := n.Add(queries, tokens), n.Add(keys, places)
		queries = n.LayerNorm(n.Add(queries, n.samCross(q, k, keys, name+".cross_attn_token_to_image")), name+".norm2", torchEps)
		y := n.Linear(n.ReLU(n.Linear(queries, name+".mlp.lin1")), name+".mlp.lin2")
		queries = n.LayerNorm(n.Add(queries, y), name+".norm3", torchEps)
		q, k = n.Add(queries, tokens), n.Add(keys, places)
		keys = n.LayerNorm(n.Add(keys, n.samCross(k, q, queries, name+".cross_attn_image_to_token")), name+".norm4", torchEps)
	}
	q, k := n.Add(queries, tokens), n.Add(keys, places)
	queries = n.Add(queries, n.samCross(q, k, keys, t+".final_attn_token_to_image"))
	return n.LayerNorm(queries, t+".norm_final_attn", torchEps), keys
}

// samCross is attention of q to k, with values v.
func (n *net) samCross(q, k, v value, name string) value {
	width := n.WeightShape(name+".q_proj.weight", 2)[0]
	x := n.Attend(n.Heads(n.Linear(q, name+".q_proj"), samHeads), n.Heads(n.Linear(k, name+".k_proj"), samHeads), n.Heads(n.Linear(v, name+".v_proj"), samHeads), width/samHeads, "")
	return n.Linear(n.Joined(x), name+".out_proj")
}
