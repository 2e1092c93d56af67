package export

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/configs"
	"wsss/models/deeplab"
)

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// blocks of the ResNets' stages.
var blocks = map[string][4]int{
	"resnet18": {2, 2, 2, 2}, "resnet34": {3, 4, 6, 3}, "resnet50": {3, 4, 6, 3}, "resnet101": {3, 4, 23, 3},
}

// build writes the graph of the network that the checkpoint's config names
// (docs/sources.md §8.1, §8.2).
func build(n *network) (*protos.ModelProto, error) {
	b := &builder{net: n, graph: &protos.GraphProto{Name: n.c.Meta.Model.Train.Arch}}
	t, classes := n.c.Meta.Model.Train, len(n.c.Meta.Model.Classes)
	b.graph.Input = []*protos.ValueInfoProto{port("image", protos.TensorProto_FLOAT, "batch", 3, "height", "width")}
	b.graph.Output = []*protos.ValueInfoProto{
		port("logits", protos.TensorProto_FLOAT, "batch", classes, "height", "width"),
		port("labels", protos.TensorProto_INT64, "batch", "height", "width"),
	}
	x := b.normalise(t.Input)
	var logits value
	resize := b.resize
	switch t.Arch {
	case deeplab.V2:
		logits = b.v2(t, x)
		if t.MSC {
			full := logits
			for _, s := range []float32{0.5, 0.75} {
				y := b.v2(t, b.resize(x, b.scaled(x, s)))
				logits = b.op("Max", []value{logits, b.resize(y, b.size(full))})
			}
		}
	case deeplab.V3Plus:
		logits = b.v3plus(t, x)
	case deeplab.V3PlusMultiGrid:
		logits, resize = b.v3plusMultiGrid(t, x), b.resizeCorners
	default:
		return nil, fmt.Errorf("train.arch = %q cannot be exported: allowed are %s, %s, %s", t.Arch, deeplab.V2, deeplab.V3Plus, deeplab.V3PlusMultiGrid)
	}
	b.named("logits", "Identity", []value{resize(logits, b.size("image"))})
	b.named("labels", "ArgMax", []value{"logits"}, attr{"axis", 1}, attr{"keepdims", 0})
	return b.model(n.metadata()), b.err
}

// normalise turns RGB in 0..255 into what the network was trained on.
func (b *builder) normalise(input string) value {
	x := value("image")
	if input == "caffe" { // BGR minus the mean
		x = b.op("Gather", []value{x, b.ints(2, 1, 0)}, attr{"axis", 1})
		return b.op("Sub", []value{x, b.floats("mean", []float32{104.008, 116.669, 122.675}, 1, 3, 1, 1)})
	}
	var scale, shift []float32
	mean, std := []float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}
	for c := range 3 {
		scale = append(scale, float32(1/(255*std[c])))
		shift = append(shift, float32(-mean[c]/std[c]))
	}
	x = b.op("Mul", []value{x, b.floats("scale", scale, 1, 3, 1, 1)})
	return b.op("Add", []value{x, b.floats("shift", shift, 1, 3, 1, 1)})
}

// scaled is the size of x times s, rounded down.
func (b *builder) scaled(x value, s float32) value {
	f := b.op("Cast", []value{b.size(x)}, attr{"to", int(protos.TensorProto_FLOAT)})
	f = b.op("Mul", []value{f, b.floats(fmt.Sprintf("factor_%g_%d", s, len(b.graph.Initializer)), []float32{s}, 1)})
	return b.op("Cast", []value{b.op("Floor", []value{f})}, attr{"to", int(protos.TensorProto_INT64)})
}

// resnet returns the outputs of the first and the last stage.
func (b *builder) resnet(t configs.Train, x value) (low, high value) {
	ceil, late := 0, t.Arch == deeplab.V3Plus
	if t.Arch == deeplab.V2 {
		ceil = 1
	}
	x = b.convNorm(x, "backbone.conv1", "backbone.bn1", 2, 1)
	x = b.op("MaxPool", []value{x}, attr{"kernel_shape", []int{3, 3}}, attr{"strides", []int{2, 2}},
		attr{"pads", []int{1, 1, 1, 1}}, attr{"ceil_mode", ceil})
	reached, dilation := 4, 1
	for stage, count := range blocks[t.Backbone] {
		stride, before := 1, dilation
		if stage > 0 {
			if reached < t.OutputStride {
				stride, reached = 2, reached*2
			} else {
				dilation *= 2
			}
		}
		for i := range count {
			s, d := 1, dilation
			if i == 0 {
				s = stride
				if late {
					d = before
				}
			}
			if t.Arch == deeplab.V3PlusMultiGrid && stage == 3 {
				d *= 1 << i
			}
			x = b.block(t, fmt.Sprintf("backbone.layer%d.%d", stage+1, i), x, s, d)
		}
		if stage == 0 {
			low = x
		}
	}
	return low, x
}

// block is one residual block.
func (b *builder) block(t configs.Train, name string, x value, stride, dilation int) value {
	short := x
	if _, ok := b.net.stored[name+".downsample.0.weight"]; ok {
		short = b.convLinear(x, name+".downsample.0", name+".downsample.1", stride, 1)
	}
	var y value
	if _, bottleneck := b.net.stored[name+".conv3.weight"]; bottleneck {
		s1, s3 := 1, stride
		if t.StrideIn == "1x1" {
			s1, s3 = stride, 1
		}
		y = b.convNorm(x, name+".conv1", name+".bn1", s1, 1)
		y = b.convNorm(y, name+".conv2", name+".bn2", s3, dilation)
		y = b.convLinear(y, name+".conv3", name+".bn3", 1, 1)
	} else {
		y = b.convNorm(x, name+".conv1", name+".bn1", stride, dilation)
		y = b.convLinear(y, name+".conv2", name+".bn2", 1, dilation)
	}
	return b.op("Relu", []value{b.op("Add", []value{y, short})})
}

// v2 is one scale of DeepLab-v2.
func (b *builder) v2(t configs.Train, x value) value {
	_, x = b.resnet(t, x)
	var sum value
	for i, rate := range []int{6, 12, 18, 24} {
		y := b.conv(x, fmt.Sprintf("aspp.c%d", i), 1, rate*8/t.OutputStride)
		if i == 0 {
			sum = y
		} else {
			sum = b.op("Add", []value{sum, y})
		}
	}
	return sum
}

const head = "classifier."

// v3plus is DeepLab-v3+, at a quarter of the image's size.
func (b *builder) v3plus(t configs.Train, x value) value {
	low, x := b.asppPooled(t, x)
	x = b.op("Concat", []value{low, b.resize(x, b.size(low))}, attr{"axis", 1})
	x = b.convNorm(x, head+"classifier.0", head+"classifier.1", 1, 1)
	return b.conv(x, head+"classifier.3", 1, 1)
}

// v3plusMultiGrid is the other DeepLab-v3+ of docs/sources.md §8.2, dropouts left out.
func (b *builder) v3plusMultiGrid(t configs.Train, x value) value {
	low, x := b.asppPooled(t, x)
	x = b.op("Concat", []value{b.resizeCorners(x, b.size(low)), low}, attr{"axis", 1})
	x = b.convNorm(x, head+"classifier.0", head+"classifier.1", 1, 1)
	x = b.convNorm(x, head+"classifier.4", head+"classifier.5", 1, 1)
	return b.conv(x, head+"classifier.8", 1, 1)
}

// asppPooled returns the reduced first stage and ASPP's result.
func (b *builder) asppPooled(t configs.Train, x value) (low, high value) {
	low, x = b.resnet(t, x)
	low = b.convNorm(low, head+"project.0", head+"project.1", 1, 1)
	branches := []value{b.convNorm(x, head+"aspp.convs.0.0", head+"aspp.convs.0.1", 1, 1)}
	for i, rate := range []int{12, 24, 36} {
		name := fmt.Sprintf("%saspp.convs.%d.", head, i+1)
		branches = append(branches, b.convNorm(x, name+"0", name+"1", 1, rate*8/t.OutputStride))
	}
	pooled := b.op("GlobalAveragePool", []value{x})
	pooled = b.convNorm(pooled, head+"aspp.convs.4.1", head+"aspp.convs.4.2", 1, 1)
	branches = append(branches, b.op("Expand", []value{pooled, b.op("Shape", []value{branches[0]})}))
	x = b.op("Concat", branches, attr{"axis", 1})
	return low, b.convNorm(x, head+"aspp.project.0", head+"aspp.project.1", 1, 1)
}
