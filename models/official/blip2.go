package official

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

const (
	evaHeads  = 16 // of EVA's ViT-g
	evaBlocks = 39 // of its 40, BLIP-2 leaves out the last
	qHeads    = 12 // of the Q-Former, a BERT
	textLen   = 32
	masked    = -10000 // what BERT adds to the scores of what is not there
)

// qMark is a tensor of every checkpoint with BLIP-2's Q-Former.
const qMark = "Qformer.bert.embeddings.LayerNorm.weight"

// BLIP2Image writes the image encoder of BLIP-2 (docs/sources.md §4) beside
// LAVIS's checkpoints: that of the Q-Former (blip2_pretrained.pth), and that of
// EVA's ViT-g (eva_vit_g.pth), which counts where the first, fine-tuned, has no
// encoder of its own:
//
//	pixel_values  float32 [batch, 3, side, side]
//	image_embeds  float32 [batch, 1 + patches, width]
func BLIP2Image(qformer, vision, out string) error {
	return build(out, []string{qformer, vision}, []string{qMark, "patch_embed.proj.weight"}, func(n *net) {
		prefix := "visual_encoder."
		if !n.HasWeight(prefix + "patch_embed.proj.weight") {
			prefix = ""
		}
		kernel := n.WeightShape(prefix+"patch_embed.proj.weight", 4)
		places := n.WeightShape(prefix+"pos_embed", 3)
		if n.err != nil {
			return
		}
		width, side := kernel[0], kernel[2]*int(math.Round(math.Sqrt(float64(places[1]-1))))
		x := n.Input("pixel_values", protos.TensorProto_FLOAT, "batch", 3, side, side)
		x = n.Transpose(n.Reshape(n.Convolve(x, prefix+"patch_embed.proj", kernel[2], 0), 0, width, -1), 0, 2, 1)
		x = n.Add(n.Concat(1, n.eachOf(n.Weight(prefix+"cls_token"), x), x), n.Weight(prefix+"pos_embed"))
		for i := range min(n.Count(prefix+"blocks", "norm1.weight"), evaBlocks) {
			x = n.evaBlock(x, sub(prefix+"blocks", i), width)
		}
		n.Named("image_embeds", "Identity", list(n.LayerNorm(x, "ln_vision", torchEps)))
		n.Output("image_embeds", protos.TensorProto_FLOAT, "batch", places[1], width)
	})
}

// eachOf is x [1, rows, width], once for each item of others.
func (n *net) eachOf(x, others value) value {
	return n.Op("Expand", list(x, n.Concat(0, n.Dim(others, 0), n.Ints(1, 1))))
}

// evaBlock is a block of the image encoder; keys have no bias.
func (n *net) evaBlock(x value, name string, width int) value {
	y := n.LayerNorm(x, name+".norm1", samEpsilon)
	y = n.MatMul(y, n.Transpose(n.Weight(name+".attn.qkv.weight"), 1, 0))
	if n.HasWeight(name + ".attn.q_bias") {
		none := value("no_bias")
		if !n.Has(none) {
			n.Floats(string(none), make([]float32, width), width)
		}
		y = n.Add(y, n.Concat(0, n.Weight(name+".attn.q_bias"), none, n.Weight(name+".attn.v_bias")))
	}
	qkv := n.Transpose(n.Reshape(y, 0, -1, 3, evaHeads, width/evaHeads), 2, 0, 3, 1, 4)
	y = n.Attend(n.Pick(qkv, 0, 0), n.Pick(qkv, 0, 1), n.Pick(qkv, 0, 2), width/evaHeads, "")
	x = n.Add(x, n.Linear(n.Joined(y), name+".attn.proj"))
	y = n.Linear(n.LayerNorm(x, name+".norm2", samEpsilon), name+".mlp.fc1")
	return n.Add(x, n.Linear(n.GELU(y), name+".mlp.fc2"))
}

// BLIP2Match writes the Q-Former of BLIP-2 with its matching head beside LAVIS's
// checkpoint:
//
//	image_embeds    float32 [batch, 1 + patches, width], of BLIP2Image
//	input_ids       int64 [batch, 32]
//	attention_mask  int64 [batch, 32]
//	itm_logits      float32 [batch, 2], the second for a match
func BLIP2Match(qformer, out string) error {
	return build(out, []string{qformer}, []string{qMark}, func(n *net) {
		const q = "Qformer.bert."
		queries := n.WeightShape("query_tokens", 3)
		image := n.Input("image_embeds", protos.TensorProto_FLOAT, "batch", "patches", n.WeightShape(q+"encoder.layer.0.crossattention.self.key.weight", 2)[1])
		ids := n.Input("input_ids", protos.TensorProto_INT64, "batch", textLen)
		attend := n.Input("attention_mask", protos.TensorProto_INT64, "batch", textLen)

		words := n.Op("Gather", list(n.Weight(q+"embeddings.word_embeddings.weight"), ids))
		words = n.Add(words, n.SliceAxis(n.Weight(q+"embeddings.position_embeddings.weight"), 0, 0, textLen))
		x := n.LayerNorm(n.Concat(1, n.eachOf(n.Weight("query_tokens"), words), words), q+"embeddings.LayerNorm", bertEps)
		there := n.AsFloat(attend)
		bias := n.Mul(n.Op("Sub", list(n.Float(1), there)), n.Float(masked))
		bias = n.Unsqueeze(bias, 1)
		bias = n.Concat(2, n.eachOf(n.Floats("queries_are_there", make([]float32, queries[1]), 1, 1, queries[1]), bias), bias)
		bias = n.Unsqueeze(bias, 1)
		for i := range n.Count(q+"encoder.layer", "intermediate.dense.weight") {
			x = n.qLayer(x, image, bias, sub(q+"encoder.layer", i), queries[1])
		}
		y := n.Linear(n.SliceAxis(x, 1, 0, queries[1]), "itm_head")
		n.Named("itm_logits", "ReduceMean", list(y), attr("axes", []int{1}), attr("keepdims", 0))
		n.Output("itm_logits", protos.TensorProto_FLOAT, "batch", 2)
	})
}

// qLayer is a layer of the Q-Former: queries and words attend to each other,
// then queries, in every second layer, to the image; both have feed-forward parts
// of their own.
func (n *net) qLayer(x, image, bias value, layer string, queries int) value {
	x = n.bertAttention(x, x, layer+".attention", qHeads, bias)
	first, rest := n.SliceAxis(x, 1, 0, queries), n.SliceAxis(x, 1, queries, math.MaxInt32)
	if n.HasWeight(layer + ".crossattention.self.query.weight") {
		first = n.bertAttention(first, image, layer+".crossattention", qHeads, "")
	}
	return n.Concat(1, n.bertOutput(first, layer, ".intermediate_query", ".output_query"), n.bertOutput(rest, layer, ".intermediate", ".output"))
}
