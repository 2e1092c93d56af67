package export

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/layers"
)

// value is the name of a value in the ONNX graph.
type value string

// builder appends nodes to an ONNX graph. The first error stays.
type builder struct {
	net   *network
	graph *protos.GraphProto
	err   error
}

// attr is an attribute: an int, []int, float64 or string.
type attr struct {
	name string
	v    any
}

func (a attr) proto() *protos.AttributeProto {
	p := &protos.AttributeProto{Name: a.name}
	switch v := a.v.(type) {
	case int:
		p.Type, p.I = protos.AttributeProto_INT, int64(v)
	case []int:
		p.Type = protos.AttributeProto_INTS
		for _, x := range v {
			p.Ints = append(p.Ints, int64(x))
		}
	case string:
		p.Type, p.S = protos.AttributeProto_STRING, []byte(v)
	default:
		panic(fmt.Sprintf("attribute %s of type %T", a.name, a.v))
	}
	return p
}

// op appends a node and returns its output.
func (b *builder) op(kind string, in []value, attrs ...attr) value {
	out := value(fmt.Sprintf("%s_%d", kind, len(b.graph.Node)))
	b.named(out, kind, in, attrs...)
	return out
}

func (b *builder) named(out value, kind string, in []value, attrs ...attr) {
	node := &protos.NodeProto{OpType: kind, Name: string(out), Output: []string{string(out)}}
	for _, v := range in {
		node.Input = append(node.Input, string(v))
	}
	for _, a := range attrs {
		node.Attribute = append(node.Attribute, a.proto())
	}
	b.graph.Node = append(b.graph.Node, node)
}

// floats and ints are constants.
func (b *builder) floats(name string, v []float32, dims ...int) value {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return b.constant(name, protos.TensorProto_FLOAT, raw, dims)
}

func (b *builder) ints(v ...int) value {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return b.constant(fmt.Sprintf("const_%d", len(b.graph.Initializer)), protos.TensorProto_INT64, raw, []int{len(v)})
}

func (b *builder) constant(name string, kind protos.TensorProto_DataType, raw []byte, dims []int) value {
	t := &protos.TensorProto{Name: name, DataType: int32(kind), RawData: raw}
	for _, d := range dims {
		t.Dims = append(t.Dims, int64(d))
	}
	b.graph.Initializer = append(b.graph.Initializer, t)
	return value(name)
}

// weight reads a tensor of the network.
func (b *builder) weight(name string) (flat []float32, dims []int) {
	t, err := b.net.tensor(name)
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return nil, []int{0, 0, 0, 0}
	}
	tensors.MustConstFlatData(t, func(v []float32) { flat = append(flat, v...) })
	return flat, t.Shape().Dimensions
}

// conv is a convolution with bias, the variables at module.
func (b *builder) conv(x value, module string, stride, dilation int) value {
	w, dims := b.weight(module + ".weight")
	bias, _ := b.weight(module + ".bias")
	return b.convolve(x, module, w, dims, bias, stride, dilation)
}

// convNorm is a convolution with the batch normalisation of module norm folded
// in, and ReLU.
func (b *builder) convNorm(x value, module, norm string, stride, dilation int) value {
	return b.op("Relu", []value{b.convLinear(x, module, norm, stride, dilation)})
}

// convLinear is convNorm without ReLU.
func (b *builder) convLinear(x value, module, norm string, stride, dilation int) value {
	w, dims := b.weight(module + ".weight")
	gamma, _ := b.weight(norm + ".weight")
	beta, _ := b.weight(norm + ".bias")
	mean, _ := b.weight(norm + ".running_mean")
	variance, _ := b.weight(norm + ".running_var")
	if b.err != nil {
		return x
	}
	bias := make([]float32, dims[0])
	per := len(w) / dims[0]
	for o := range bias {
		scale := float64(gamma[o]) / math.Sqrt(float64(variance[o])+layers.Epsilon)
		bias[o] = float32(float64(beta[o]) - float64(mean[o])*scale)
		for i := range per {
			w[o*per+i] = float32(float64(w[o*per+i]) * scale)
		}
	}
	return b.convolve(x, module, w, dims, bias, stride, dilation)
}

func (b *builder) convolve(x value, module string, w []float32, dims []int, bias []float32, stride, dilation int) value {
	if b.err != nil {
		return x
	}
	pad := dilation * (dims[2] - 1) / 2
	weight := value(module + ".weight")
	offset := value(module + ".bias")
	if !b.has(weight) { // MSC applies the network three times
		b.floats(string(weight), w, dims...)
		b.floats(string(offset), bias, len(bias))
	}
	return b.op("Conv", []value{x, weight, offset},
		attr{"kernel_shape", []int{dims[2], dims[3]}}, attr{"strides", []int{stride, stride}},
		attr{"dilations", []int{dilation, dilation}}, attr{"pads", []int{pad, pad, pad, pad}})
}

func (b *builder) has(name value) bool {
	for _, t := range b.graph.Initializer {
		if t.Name == string(name) {
			return true
		}
	}
	return false
}

// size is the height and width of x, int64 [2].
func (b *builder) size(x value) value {
	return b.op("Slice", []value{b.op("Shape", []value{x}), b.ints(2), b.ints(4)})
}

// resize scales x bilinearly to a size, pixel areas aligned; resizeCorners
// aligns the corner pixels.
func (b *builder) resize(x, size value) value { return b.resizeBy("half_pixel", x, size) }

func (b *builder) resizeCorners(x, size value) value { return b.resizeBy("align_corners", x, size) }

func (b *builder) resizeBy(grid string, x, size value) value {
	head := b.op("Slice", []value{b.op("Shape", []value{x}), b.ints(0), b.ints(2)})
	sizes := b.op("Concat", []value{head, size}, attr{"axis", 0})
	return b.op("Resize", []value{x, "", "", sizes}, attr{"mode", "linear"}, attr{"coordinate_transformation_mode", grid})
}

// model wraps the graph.
func (b *builder) model(metadata map[string]string) *protos.ModelProto {
	m := &protos.ModelProto{
		IrVersion: 7, ProducerName: "wsss", Graph: b.graph,
		OpsetImport: []*protos.OperatorSetIdProto{{Version: 13}},
	}
	for _, key := range sorted(metadata) {
		m.MetadataProps = append(m.MetadataProps, &protos.StringStringEntryProto{Key: key, Value: metadata[key]})
	}
	return m
}

// port describes an input or output; a string is a free dimension.
func port(name string, kind protos.TensorProto_DataType, dims ...any) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{}
	for _, d := range dims {
		dim := &protos.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		case string:
			dim.Value = &protos.TensorShapeProto_Dimension_DimParam{DimParam: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
		TensorType: &protos.TypeProto_Tensor{ElemType: int32(kind), Shape: shape},
	}}}
}
