package mask2former

import (
	"fmt"

	"wsss/models"
	"wsss/models/onnxwrite"
)

type value = onnxwrite.Value

// epsilon is added to the variance by normalisations.
const epsilon = 1e-5

// values is a short way to write a node's inputs.
func values(v ...value) []value { return v }

// ONNX is models.ONNXWriter's: logarithms of the classes' scores, as of Logits.
func (n *network) ONNX(b *onnxwrite.Builder, images value) (logits value, whole bool, err error) {
	backbone, ok := n.backbone.(models.ONNXBackbone)
	if !ok {
		return "", false, fmt.Errorf("its backbone cannot be written as an ONNX graph")
	}
	w := writer{onnxwrite.NewNet(b), n}
	features, maps, sizes := w.pixels(backbone.ONNX(b, models.BackboneScope+".", images))
	if b.Err() != nil {
		return "", false, b.Err()
	}
	classes, masks := w.queries(features, maps, sizes)
	masks = w.Op("Sigmoid", values(b.Resize(masks, b.Size(images))))
	classes = w.Transpose(w.SliceAxis(w.Softmax(classes), 2, 0, n.classes), 0, 2, 1)
	scores := w.MatMul(classes, w.Reshape(masks, 0, n.Queries, -1))
	scores = w.Shaped(scores, w.Dim(images, 0), n.classes, w.Dim(images, 2), w.Dim(images, 3))
	return w.Op("Log", values(w.Op("Max", values(scores, w.Float(least))))), true, b.Err()
}

// writer writes the network.
type writer struct {
	*onnxwrite.Net
	*network
}

// place is where the tokens of a map lie, each [h·w, 2 or channels].
type place struct{ centre, sine value }

// places are those of a map of a size.
func (w writer) places(size onnxwrite.Map) place {
	rows := w.Reshape(w.Counted(size.Height), -1, 1, 1)
	columns := w.Reshape(w.Counted(size.Width), 1, -1, 1)
	share := func(x, of value, before, eps float32) value { // (x + before) / (of + eps)
		return w.Op("Div", values(w.Add(x, w.Float(before)), w.Add(w.AsFloat(of), w.Float(eps))))
	}
	both := func(a, b value, width int) value {
		shape := w.Concat(0, size.Height, size.Width, w.Ints(width))
		joined := w.Concat(2, w.Op("Expand", values(a, shape)), w.Op("Expand", values(b, shape)))
		return w.Reshape(joined, -1, 2*width)
	}
	half := w.Channels / 2
	return place{
		centre: both(share(columns, size.Width, 0.5, 0), share(rows, size.Height, 0.5, 0), 1),
		sine:   both(w.Waves(share(rows, size.Height, 1, 1e-6), half, 10000), w.Waves(share(columns, size.Width, 1, 1e-6), half, 10000), half),
	}
}

// pixels is the pixel decoder: features [batch, channels, h, w], the tokens of the
// maps [batch, h·w, channels], and their sizes.
func (w writer) pixels(stages [models.Stages]value) (features value, maps []value, sizes []onnxwrite.Map) {
	const at = headScope + "." + pixelScope + "."
	var tokens, sines, centres []value
	for level := range levels {
		s := stages[models.Stages-1-level]
		size := onnxwrite.Map{Height: w.Dim(s, 2), Width: w.Dim(s, 3)}
		module := fmt.Sprintf("%sinput_proj.%d", at, level)
		x := w.GroupNorm(w.Convolve(s, module+".0", 1, 0), module+".1", groups)
		tokens = append(tokens, w.Transpose(w.Reshape(x, 0, w.Channels, -1), 0, 2, 1))
		p := w.places(size)
		sines = append(sines, w.Add(p.sine, w.SliceAxis(w.Weight(at+"transformer.level_embed"), 0, level, level+1)))
		centres, sizes = append(centres, p.centre), append(sizes, size)
	}
	x := w.Concat(1, tokens...)
	sine, centre := w.Unsqueeze(w.Concat(0, sines...), 0), w.Unsqueeze(w.Concat(0, centres...), 0, 2, 3)
	for i := range w.EncoderLayers {
		module := fmt.Sprintf("%stransformer.encoder.layers.%d", at, i)
		y := w.Deformable(w.Add(x, sine), x, module+".self_attn", w.network.Heads, sizes, func(level int, offsets value) value {
			size := w.AsFloat(w.Concat(0, sizes[level].Width, sizes[level].Height))
			return w.Add(centre, w.Op("Div", values(offsets, size)))
		})
		x = w.LayerNorm(w.Add(x, y), module+".norm1", epsilon)
		y = w.Linear(w.ReLU(w.Linear(x, module+".linear1")), module+".linear2")
		x = w.LayerNorm(w.Add(x, y), module+".norm2", epsilon)
	}
	from := w.Ints(0)
	for _, size := range sizes {
		to := w.Add(from, w.Mul(size.Height, size.Width))
		maps = append(maps, w.Op("Slice", values(x, from, to, w.Ints(1))))
		from = to
	}
	fine := w.Shaped(w.Transpose(maps[levels-1], 0, 2, 1), w.Dim(x, 0), w.Channels, sizes[levels-1].Height, sizes[levels-1].Width)
	side := w.GroupNorm(w.Convolve(stages[0], at+"adapter_1", 1, 0), at+"adapter_1.norm", groups)
	y := w.Add(side, w.Resize(fine, w.Size(stages[0])))
	y = w.ReLU(w.GroupNorm(w.Convolve(y, at+"layer_1", 1, 1), at+"layer_1.norm", groups))
	return w.Convolve(y, at+"mask_features", 1, 0), maps, sizes
}

// queries is the transformer decoder: class logits [batch, queries, classes+1]
// and mask logits [batch, queries, h, w] behind the last layer.
func (w writer) queries(features value, maps []value, sizes []onnxwrite.Map) (classes, masks value) {
	const at = headScope + "." + predictorScope + "."
	batch := w.Dim(features, 0)
	var memory, keys []value
	for i, m := range maps {
		m = w.Add(m, w.SliceAxis(w.Weight(at+"level_embed.weight"), 0, i, i+1))
		memory, keys = append(memory, m), append(keys, w.Add(m, w.places(sizes[i]).sine))
	}
	position := w.Weight(at + "query_embed.weight")
	x := w.Op("Expand", values(w.Weight(at+"query_feat.weight"), w.Concat(0, batch, w.Ints(w.Queries, w.Channels))))
	heads := w.network.Heads
	for i := 0; ; i++ {
		classes, masks = w.say(x, features)
		if i == w.Options.Layers {
			return classes, masks
		}
		l := i % levels
		cross := fmt.Sprintf("%stransformer_cross_attention_layers.%d", at, i)
		y := w.MultiHead(w.Add(x, position), keys[l], memory[l], cross+".multihead_attn", heads, w.hidden(masks, sizes[l]))
		x = w.LayerNorm(w.Add(x, y), cross+".norm", epsilon)
		self := fmt.Sprintf("%stransformer_self_attention_layers.%d", at, i)
		q := w.Add(x, position)
		x = w.LayerNorm(w.Add(x, w.MultiHead(q, q, x, self+".self_attn", heads, "")), self+".norm", epsilon)
		ffn := fmt.Sprintf("%stransformer_ffn_layers.%d", at, i)
		y = w.Linear(w.ReLU(w.Linear(x, ffn+".linear1")), ffn+".linear2")
		x = w.LayerNorm(w.Add(x, y), ffn+".norm", epsilon)
	}
}

// say is what queries x predict.
func (w writer) say(x, features value) (classes, masks value) {
	const at = headScope + "." + predictorScope + "."
	x = w.LayerNorm(x, at+"decoder_norm", epsilon)
	masks = w.MatMul(w.MLP(x, at+"mask_embed.layers", 3), w.Reshape(features, 0, w.Channels, -1))
	return w.Linear(x, at+"class_embed"), w.Shaped(masks, w.Dim(features, 0), w.Queries, w.Dim(features, 2), w.Dim(features, 3))
}

// hidden is what is added to scores, [batch, 1, queries, h·w], as of the graph.
func (w writer) hidden(masks value, size onnxwrite.Map) value {
	m := w.Reshape(w.Resize(masks, w.Concat(0, size.Height, size.Width)), 0, w.Queries, -1)
	zero := w.Float(0)
	empty := w.Op("Less", values(w.Op("ReduceMax", values(m), onnxwrite.A("axes", []int{2}), onnxwrite.A("keepdims", 1)), zero))
	off := w.Op("And", values(w.Op("Less", values(m, zero)), w.Op("Not", values(empty))))
	return w.Unsqueeze(w.Op("Where", values(off, w.Float(veil), zero)), 1)
}
