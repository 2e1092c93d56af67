package official

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

const (
	ramHeads = 4     // of the tagging head's attention
	bertEps  = 1e-12 // of the norms of BERT and what is made of it
)

// RAM writes the tagger of a checkpoint of the Recognize Anything Model, or of
// RAM++ (ram_swin_large_14m.pth, ram_plus_swin_large_14m.pth; docs/sources.md
// §5.1), beside it:
//
//	image   float32 [1, 3, side, side], normalised; side is 384 for the published ones
//	logits  float32 [1, tags]
func RAM(path, out string) error {
	return build(out, []string{path}, []string{"label_embed"}, func(n *net) {
		const v = "visual_encoder."
		table := n.shape(v+"layers.0.blocks.0.attn.relative_position_bias_table", 2)
		patch := n.shape(v+"patch_embed.proj.weight", 4)[2]
		stages := n.count(v+"layers", "blocks.0.norm1.weight")
		if n.err != nil {
			return
		}
		// The last stage's map is one window.
		window := (int(math.Round(math.Sqrt(float64(table[0])))) + 1) / 2
		side := window * patch << (stages - 1)
		x := n.Input("image", protos.TensorProto_FLOAT, 1, 3, side, side)
		all := swin{n, v, side}.stages(x)
		if len(all) == 0 {
			return
		}
		width := n.shape(v+"norm.weight", 1)[0]
		x = n.layerNorm(n.reshape(all[len(all)-1], 1, -1, width), v+"norm", torchEps)
		mean := n.Op("ReduceMean", list(x), attr("axes", []int{1}), attr("keepdims", 1))
		image := n.linear(n.concat(1, mean, x), "image_proj")

		tags := n.ramTags(image)
		if n.has("wordvec_proj.weight") {
			tags = n.linear(tags, "wordvec_proj")
		}
		tags = n.relu(tags)
		head := "tagging_head.encoder.layer"
		if !n.has(head + ".0.intermediate.dense.weight") {
			head = "vision_multi.encoder.layer" // its name in earlier releases
		}
		for i := range n.count(head, "intermediate.dense.weight") {
			tags = n.bertAttention(tags, image, sub(head, i)+".crossattention", ramHeads, "")
			tags = n.bertOutput(tags, sub(head, i), ".intermediate", ".output")
		}
		logits := n.linear(tags, "fc")
		n.Named("logits", "Squeeze", list(logits, n.Ints(2)))
		n.Output("logits", protos.TensorProto_FLOAT, 1, n.tagCount())
	})
}

// ramDescriptions is how many descriptions RAM++ has of each tag.
const ramDescriptions = 51

func (n *net) tagCount() int {
	rows := n.shape("label_embed", 2)[0]
	if n.has("reweight_scale") {
		return rows / ramDescriptions
	}
	return rows
}

// ramTags are the embeddings of the tags, [1, tags, width]: in RAM++ a mean of
// descriptions, weighted by how well each fits the image.
func (n *net) ramTags(image value) value {
	shape := n.shape("label_embed", 2)
	if !n.has("reweight_scale") {
		return n.unsqueeze(n.w("label_embed"), 0)
	}
	if shape[0]%ramDescriptions != 0 {
		n.fail(fmt.Errorf("%s: label_embed has %d rows, wanted are %d for each tag", n.from[0].file, shape[0], ramDescriptions))
		return "label_embed"
	}
	cls := n.slice(image, 1, 0, 1) // [1, 1, width]
	norm := n.Op("ReduceL2", list(cls), attr("axes", []int{2}), attr("keepdims", 1))
	cls = n.mul(n.Op("Div", list(cls, norm)), n.Op("Exp", list(n.w("reweight_scale"))))
	each := n.reshape(n.w("label_embed"), n.tagCount(), ramDescriptions, shape[1])
	fit := n.matMul(each, n.reshape(cls, 1, shape[1], 1)) // [tags, descriptions, 1]
	fit = n.softmax(n.transpose(fit, 0, 2, 1))            // [tags, 1, descriptions]
	return n.transpose(n.matMul(fit, each), 1, 0, 2)
}

// bertAttention is BERT's attention block at a module with self and output;
// bias is added to the scores.
func (n *net) bertAttention(x, others value, module string, heads int, bias value) value {
	width := n.shape(module+".self.query.weight", 2)[0]
	if n.err != nil {
		return x
	}
	y := n.attend(n.heads(n.linear(x, module+".self.query"), heads), n.heads(n.linear(others, module+".self.key"), heads),
		n.heads(n.linear(others, module+".self.value"), heads), width/heads, bias)
	return n.layerNorm(n.add(n.linear(n.joined(y), module+".output.dense"), x), module+".output.LayerNorm", bertEps)
}

// bertOutput is the feed-forward part of a layer of BERT.
func (n *net) bertOutput(x value, layer, inner, outer string) value {
	y := n.linear(n.gelu(n.linear(x, layer+inner+".dense")), layer+outer+".dense")
	return n.layerNorm(n.add(y, x), layer+outer+".LayerNorm", bertEps)
}
