package wrn

import (
	"wsss/models"
	"wsss/models/onnxwrite"
)

// ONNX is models.ONNXBackbone's.
func (c Config) ONNX(b *onnxwrite.Builder, prefix string, x onnxwrite.Value) (out [models.Stages]onnxwrite.Value) {
	x = b.ConvPlain(x, prefix+"conv1a", 1, 1)
	for g, list := range c.plan() {
		for i, block := range list {
			var seen onnxwrite.Value
			x, seen = block.onnx(b, prefix+block.name, x)
			if stage, ok := stageOf[g]; ok && i == 0 {
				out[stage] = seen
			}
		}
	}
	out[3] = b.NormReLU(x, prefix+"bn7")
	return out
}

func (b block) onnx(g *onnxwrite.Builder, name string, x onnxwrite.Value) (y, seen onnxwrite.Value) {
	seen = g.NormReLU(x, name+"."+norms[0])
	short := x
	if b.project {
		short = g.ConvPlain(seen, name+".conv_branch1", b.stride, 1)
	}
	y = seen
	for i := range b.widths {
		if i > 0 {
			y = g.NormReLU(y, name+"."+norms[i])
		}
		_, o := b.conv(i)
		y = g.ConvPlain(y, name+"."+convs[i], max(o.Stride, 1), o.Dilation)
	}
	return g.Op("Add", []onnxwrite.Value{short, y}), seen
}
