package vgg

import (
	"wsss/models"
	"wsss/models/onnxwrite"
)

// ONNX is models.ONNXBackbone's.
func (c Config) ONNX(b *onnxwrite.Builder, prefix string, x onnxwrite.Value) (out [models.Stages]onnxwrite.Value) {
	window := func(kind string, x onnxwrite.Value, stride int, more onnxwrite.Attr) onnxwrite.Value {
		return b.Op(kind, []onnxwrite.Value{x}, onnxwrite.A("kernel_shape", []int{3, 3}), onnxwrite.A("strides", []int{stride, stride}),
			onnxwrite.A("pads", []int{1, 1, 1, 1}), more)
	}
	ceil := 0
	if c.CeilPool {
		ceil = 1
	}
	for _, l := range c.plan() {
		x = b.Op("Relu", []onnxwrite.Value{b.Conv(x, prefix+l.name, 1, l.dilation)})
		if l.stage >= 0 {
			out[l.stage] = x
		}
		switch l.pool {
		case halves:
			x = window("MaxPool", x, 2, onnxwrite.A("ceil_mode", ceil))
		case keeps:
			x = window("MaxPool", x, 1, onnxwrite.A("ceil_mode", 0))
		}
		if l.mean {
			x = window("AveragePool", x, 1, onnxwrite.A("count_include_pad", 1))
		}
	}
	return out
}
