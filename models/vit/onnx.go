package vit

import (
	"wsss/models/onnxwrite"
)

type value = onnxwrite.Value

// Writer writes a network as an ONNX graph, for images of any size.
type Writer struct {
	*onnxwrite.Net
	Config
	Prefix string // of the names of its weights
}

// Patches are the tokens of the patches of images [batch, 3, height, width],
// normalised: [batch, h, w, width], as Config.Tokens'.
func (w Writer) Patches(images value) value {
	x := w.Transpose(w.PadTo(w.Transpose(images, 0, 2, 3, 1), w.Patch), 0, 3, 1, 2)
	x = w.Transpose(w.Convolve(x, w.Prefix+"patch_embed.proj", w.Patch, 0), 0, 2, 3, 1)
	batch, rows, columns := w.Dim(x, 0), w.Dim(x, 1), w.Dim(x, 2)
	position := w.Weight(w.Prefix + "pos_embed")
	x = w.Reshape(w.Add(x, w.places(w.Rest(position, 1, 1), rows, columns)), 0, -1, w.Width)
	each := func(v value, count int) value {
		return w.Op("Expand", []value{v, w.Concat(0, batch, w.Ints(count, w.Width))})
	}
	tokens := []value{each(w.Add(w.Weight(w.Prefix+"cls_token"), w.SliceAxis(position, 1, 0, 1)), 1)}
	if w.Registers > 0 {
		tokens = append(tokens, each(w.Weight(w.Prefix+"register_tokens"), w.Registers))
	}
	x = w.Concat(1, append(tokens, x)...)
	if w.PreNorm {
		x = w.LayerNorm(x, w.Prefix+"norm_pre", w.Epsilon)
	}
	for i := range w.Depth {
		x = w.Block(x, onnxwrite.Sub(w.Prefix+"blocks", i))
	}
	x = w.LayerNorm(w.Rest(x, 1, 1+w.Registers), w.Prefix+"norm", w.Epsilon)
	return w.Shaped(x, 0, rows, columns, w.Width)
}

// places are position embeddings [1, Grid², width] for so many rows and columns of
// patches, [1, rows, columns, width].
func (w Writer) places(position, rows, columns value) value {
	p := w.Reshape(position, 1, w.Grid, w.Grid, w.Width)
	if w.Antialias {
		return w.Resampled(p, w.CubicMean(w.Grid, rows), w.CubicMean(w.Grid, columns))
	}
	const e = onnxwrite.CubicEdge
	p = w.Op("Pad", []value{p, w.Ints(0, e, e, 0, 0, e, e, 0)}, onnxwrite.A("mode", "edge"))
	return w.Resampled(p, w.Cubic(w.Grid, rows), w.Cubic(w.Grid, columns))
}

// Block is a block of the transformer, of tokens [batch, n, width].
func (w Writer) Block(x value, module string) value {
	branch := func(x, y value, scale string) value {
		if w.LayerScale {
			y = w.Mul(y, w.Weight(module+"."+scale+".gamma"))
		}
		return w.Add(x, y)
	}
	x = branch(x, w.attention(w.LayerNorm(x, module+".norm1", w.Epsilon), module+".attn"), "ls1")
	y := w.Linear(w.LayerNorm(x, module+".norm2", w.Epsilon), module+".mlp.fc1")
	if w.Config.QuickGELU {
		y = w.Net.QuickGELU(y)
	} else {
		y = w.GELU(y)
	}
	return branch(x, w.Linear(y, module+".mlp.fc2"), "ls2")
}

func (w Writer) attention(x value, module string) value {
	qkv := w.Linear(x, module+".qkv")
	part := func(i int) value {
		return w.Net.Heads(w.SliceAxis(qkv, 2, i*w.Width, (i+1)*w.Width), w.Config.Heads)
	}
	return w.Linear(w.Joined(w.Attend(part(0), part(1), part(2), w.Width/w.Config.Heads, "")), module+".proj")
}
