package resnet

import (
	"wsss/models"
	"wsss/models/onnxwrite"
)

// ONNX is models.ONNXBackbone's.
func (c Config) ONNX(b *onnxwrite.Builder, prefix string, x onnxwrite.Value) (out [models.Stages]onnxwrite.Value) {
	ceil := 0
	if c.CeilPool {
		ceil = 1
	}
	x = b.ConvNorm(x, prefix+"conv1", prefix+"bn1", 2, 1)
	x = b.Op("MaxPool", []onnxwrite.Value{x}, onnxwrite.A("kernel_shape", []int{3, 3}), onnxwrite.A("strides", []int{2, 2}),
		onnxwrite.A("pads", []int{1, 1, 1, 1}), onnxwrite.A("ceil_mode", ceil))
	for stage, list := range c.plan() {
		for _, block := range list {
			x = block.onnx(b, prefix+block.name, x)
		}
		out[stage] = x
	}
	return out
}

func (b block) onnx(g *onnxwrite.Builder, name string, x onnxwrite.Value) onnxwrite.Value {
	short := x
	if b.project {
		short = g.ConvLinear(x, name+".downsample.0", name+".downsample.1", b.stride, 1)
	}
	var y onnxwrite.Value
	if b.basic {
		y = g.ConvNorm(x, name+".conv1", name+".bn1", b.stride, b.dilation)
		y = g.ConvLinear(y, name+".conv2", name+".bn2", 1, b.dilation)
	} else {
		s1, s3 := b.strides()
		y = g.ConvNorm(x, name+".conv1", name+".bn1", s1, 1)
		y = g.ConvNorm(y, name+".conv2", name+".bn2", s3, b.dilation)
		y = g.ConvLinear(y, name+".conv3", name+".bn3", 1, 1)
	}
	return g.Op("Relu", []onnxwrite.Value{g.Op("Add", []onnxwrite.Value{y, short})})
}
