package vitseg

import (
	"wsss/models"
	"wsss/models/onnxwrite"
	"wsss/models/vit"
)

type value = onnxwrite.Value

// ONNX is models.ONNXWriter's: one map of a quarter of the images' sides.
func (n *network) ONNX(b *onnxwrite.Builder, images value) (logits value, whole bool, err error) {
	w := writer{onnxwrite.NewNet(b), n}
	x := vit.Writer{Net: w.Net, Config: n.vit, Prefix: models.BackboneScope + "."}.Patches(images)
	if n.mask {
		x = w.masks(x)
	} else {
		x = w.Linear(x, headScope)
	}
	return w.Transpose(w.enlarge(x, w.Dim(images, 2), w.Dim(images, 3)), 0, 3, 1, 2), false, b.Err()
}

// writer writes the heads.
type writer struct {
	*onnxwrite.Net
	*network
}

// masks is the mask transformer: patches [batch, h, w, width] to logits [batch, h,
// w, classes].
func (w writer) masks(x value) value {
	batch, rows, columns, c := w.Dim(x, 0), w.Dim(x, 1), w.Dim(x, 2), w.vit.Width
	const at = decoderScope + "."
	x = w.Linear(w.Reshape(x, 0, -1, c), at+"proj_dec")
	classes := w.Op("Expand", []value{w.Weight(at + "cls_emb"), w.Concat(0, batch, w.Ints(w.classes, c))})
	x = w.Concat(1, classes, x) // no block cares for the order
	block := vit.Writer{Net: w.Net, Config: w.vit}
	block.LayerScale, block.Config.QuickGELU = false, false
	for i := range decoderBlocks {
		x = block.Block(x, onnxwrite.Sub(at+"blocks", i))
	}
	x = w.LayerNorm(x, at+"decoder_norm", w.vit.Epsilon)
	patches := w.UnitLength(w.Linear(w.Rest(x, 1, w.classes), at+"proj_patch"))
	of := w.UnitLength(w.Linear(w.SliceAxis(x, 1, 0, w.classes), at+"proj_classes"))
	y := w.LayerNorm(w.MatMul(patches, w.Transpose(of, 0, 2, 1)), at+"mask_norm", w.vit.Epsilon)
	return w.Shaped(y, 0, rows, columns, w.classes)
}

// enlarge scales logits of patches to a quarter of an image of height × width
// pixels, as network.enlarge.
func (w writer) enlarge(x, height, width value) value {
	along := func(axis int, side value) value {
		to := w.Op("Div", []value{w.Add(side, w.Ints(logitStride-1)), w.Ints(logitStride)})
		step := w.Op("Div", []value{w.AsFloat(side), w.Mul(w.AsFloat(to), w.Float(float32(w.vit.Patch)))})
		return w.Triangles(w.Dim(x, axis), to, step)
	}
	return w.Resampled(x, along(1, height), along(2, width))
}
