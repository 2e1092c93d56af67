package deeplab

import (
	"fmt"

	"wsss/models"
	"wsss/models/onnxwrite"
)

// ONNX is models.ONNXWriter's.
func (n *network) ONNX(b *onnxwrite.Builder, x onnxwrite.Value) (logits onnxwrite.Value, whole bool, err error) {
	backbone, ok := n.backbone.(models.ONNXBackbone)
	if !ok {
		return "", false, fmt.Errorf("its backbone cannot be written as an ONNX graph")
	}
	w := writer{network: n, b: b, backbone: backbone}
	switch n.arch {
	case V1:
		return b.Conv(w.stages(x)[3], fcScope, 1, 1), false, b.Err()
	case V2:
		return w.v2(x), false, b.Err()
	}
	return w.resize(w.v3plus(x), b.Size(x)), true, b.Err()
}

// writer writes a network, dropouts left out.
type writer struct {
	*network
	b        *onnxwrite.Builder
	backbone models.ONNXBackbone
}

func (w writer) stages(x onnxwrite.Value) [models.Stages]onnxwrite.Value {
	return w.backbone.ONNX(w.b, models.BackboneScope+".", x)
}

// resize scales x as every upsampling of the architecture does.
func (w writer) resize(x, size onnxwrite.Value) onnxwrite.Value {
	if w.v3.alignCorners {
		return w.b.ResizeCorners(x, size)
	}
	return w.b.Resize(x, size)
}

// v2 is DeepLab-v2.
func (w writer) v2(x onnxwrite.Value) (sum onnxwrite.Value) {
	x = w.stages(x)[3]
	for i, rate := range v2Rates {
		y := w.b.Conv(x, fmt.Sprintf("%s.c%d", asppScope, i), 1, rate*8/w.stride)
		if i == 0 {
			sum = y
		} else {
			sum = w.b.Op("Add", []onnxwrite.Value{sum, y})
		}
	}
	return sum
}

// v3plus is DeepLab-v3+, at a quarter of the image's size.
func (w writer) v3plus(x onnxwrite.Value) onnxwrite.Value {
	const head = headScope + "."
	stages := w.stages(x)
	low := w.b.ConvNorm(stages[0], head+"project.0", head+"project.1", 1, 1)
	x = w.asppPooled(stages[3])
	x = w.resize(x, w.b.Size(low))
	both := []onnxwrite.Value{low, x}
	if w.v3.lowLast {
		both = []onnxwrite.Value{x, low}
	}
	x = w.b.Op("Concat", both, onnxwrite.A("axis", 1))
	at := 0
	for _, dropout := range w.v3.decoder {
		x = w.b.ConvNorm(x, fmt.Sprintf("%sclassifier.%d", head, at), fmt.Sprintf("%sclassifier.%d", head, at+1), 1, 1)
		at = w.v3.after(at, dropout)
	}
	return w.b.Conv(x, fmt.Sprintf("%sclassifier.%d", head, at), 1, 1)
}

func (w writer) asppPooled(x onnxwrite.Value) onnxwrite.Value {
	const aspp = headScope + ".aspp."
	branches := []onnxwrite.Value{w.b.ConvNorm(x, aspp+"convs.0.0", aspp+"convs.0.1", 1, 1)}
	for i, rate := range v3Rates {
		name := fmt.Sprintf("%sconvs.%d.", aspp, i+1)
		branches = append(branches, w.b.ConvNorm(x, name+"0", name+"1", 1, rate*8/w.stride))
	}
	pooled := w.b.Op("GlobalAveragePool", []onnxwrite.Value{x})
	pooled = w.b.ConvNorm(pooled, headScope+"."+dotted(poolConv), headScope+"."+dotted(poolNorm), 1, 1)
	branches = append(branches, w.b.Op("Expand", []onnxwrite.Value{pooled, w.b.Op("Shape", []onnxwrite.Value{branches[0]})}))
	x = w.b.Op("Concat", branches, onnxwrite.A("axis", 1))
	return w.b.ConvNorm(x, aspp+"project.0", aspp+"project.1", 1, 1)
}
