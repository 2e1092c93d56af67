package official

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/swin"
)

const (
	ramHeads = 4     // of the tagging head's attention
	bertEps  = 1e-12 // of the norms of BERT and what is made of it
)

// RAM writes the tagger of a checkpoint of the Recognize Anything Model, or of
// RAM++ (ram_swin_large_14m.pth, ram_plus_swin_large_14m.pth; docs/sources.md
// §5.1), beside it:
//
//	image   float32 [batch, 3, side, side], normalised; side is 384 for the published ones
//	logits  float32 [batch, tags]
func RAM(path, out string) error {
	return build(out, []string{path}, []string{"label_embed"}, func(n *net) {
		const v = "visual_encoder."
		table := n.WeightShape(v+"layers.0.blocks.0.attn.relative_position_bias_table", 2)
		patch := n.WeightShape(v+"patch_embed.proj.weight", 4)[2]
		stages := n.Count(v+"layers", "blocks.0.norm1.weight")
		if n.err != nil {
			return
		}
		// The last stage's map is one window.
		window := (int(math.Round(math.Sqrt(float64(table[0])))) + 1) / 2
		side := window * patch << (stages - 1)
		x := n.Input("image", protos.TensorProto_FLOAT, "batch", 3, side, side)
		all := swin.Writer{Net: n.Net, Prefix: v, Side: side}.Stages(x)
		if len(all) == 0 {
			return
		}
		width := n.WeightShape(v+"norm.weight", 1)[0]
		x = n.LayerNorm(n.Reshape(all[len(all)-1], 0, -1, width), v+"norm", torchEps)
		mean := n.Op("ReduceMean", list(x), attr("axes", []int{1}), attr("keepdims", 1))
		image := n.Linear(n.Concat(1, mean, x), "image_proj")

		tags := n.ramTags(image)
		if n.HasWeight("wordvec_proj.weight") {
			tags = n.Linear(tags, "wordvec_proj")
		}
		tags = n.ReLU(tags)
		head := "tagging_head.encoder.layer"
		if !n.HasWeight(head + ".0.intermediate.dense.weight") {
			head = "vision_multi.encoder.layer" // its name in earlier releases
		}
		for i := range n.Count(head, "intermediate.dense.weight") {
			tags = n.bertAttention(tags, image, sub(head, i)+".crossattention", ramHeads, "")
			tags = n.bertOutput(tags, sub(head, i), ".intermediate", ".output")
		}
		logits := n.Linear(tags, "fc")
		n.Named("logits", "Squeeze", list(logits, n.Ints(2)))
		n.Output("logits", protos.TensorProto_FLOAT, "batch", n.tagCount())
	})
}

// ramDescriptions is how many descriptions RAM++ has of each tag.
const ramDescriptions = 51

func (n *net) tagCount() int {
	rows := n.WeightShape("label_embed", 2)[0]
	if n.HasWeight("reweight_scale") {
		return rows / ramDescriptions
	}
	return rows
}

// ramTags are the embeddings of the tags, [batch, tags, width]: in RAM++ a mean of
// descriptions, weighted by how well each fits the image.
func (n *net) ramTags(image value) value {
	shape := n.WeightShape("label_embed", 2)
	if !n.HasWeight("reweight_scale") {
		return n.eachOf(n.Unsqueeze(n.Weight("label_embed"), 0), image)
	}
	if shape[0]%ramDescriptions != 0 {
		n.fail(fmt.Errorf("%s: label_embed has %d rows, wanted are %d for each tag", n.from[0].file, shape[0], ramDescriptions))
		return "label_embed"
	}
	cls := n.SliceAxis(image, 1, 0, 1) // [batch, 1, width]
	norm := n.Op("ReduceL2", list(cls), attr("axes", []int{2}), attr("keepdims", 1))
	cls = n.Mul(n.Op("Div", list(cls, norm)), n.Op("Exp", list(n.Weight("reweight_scale"))))
	each := n.Reshape(n.Weight("label_embed"), n.tagCount(), ramDescriptions, shape[1])
	fit := n.MatMul(each, n.Transpose(n.Reshape(cls, -1, shape[1]), 1, 0)) // [tags, descriptions, batch]
	fit = n.Softmax(n.Transpose(fit, 0, 2, 1))                             // [tags, batch, descriptions]
	return n.Transpose(n.MatMul(fit, each), 1, 0, 2)
}

// bertAttention is BERT's attention block at a module with self and output;
// bias is added to the scores.
func (n *net) bertAttention(x, others value, module string, heads int, bias value) value {
	width := n.WeightShape(module+".self.query.weight", 2)[0]
	if n.err != nil {
		return x
	}
	y := n.Attend(n.Heads(n.Linear(x, module+".self.query"), heads), n.Heads(n.Linear(others, module+".self.key"), heads),
		n.Heads(n.Linear(others, module+".self.value"), heads), width/heads, bias)
	return n.LayerNorm(n.Add(n.Linear(n.Joined(y), module+".output.dense"), x), module+".output.LayerNorm", bertEps)
}

// bertOutput is the feed-forward part of a layer of BERT.
func (n *net) bertOutput(x value, layer, inner, outer string) value {
	y := n.Linear(n.GELU(n.Linear(x, layer+inner+".dense")), layer+outer+".dense")
	return n.LayerNorm(n.Add(y, x), layer+outer+".LayerNorm", bertEps)
}
