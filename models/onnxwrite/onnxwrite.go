// Package onnxwrite builds ONNX graphs (opset 13 to 17) of networks with native
// convolutions, batch normalisation folded in. Weights come by the names of a
// state dict.
package onnxwrite

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/layers"
)

// Value is the name of a value in the ONNX graph.
type Value string

// Image is the input of a network's graph: float32 [batch, 3, height, width].
const Image Value = "image"

// Builder appends nodes to an ONNX graph. The first error stays, see Err.
type Builder struct {
	Graph  *protos.GraphProto
	weight func(name string) (*tensors.Tensor, error)
	inits  map[Value]bool // names of constants
	opset  int            // that the graph needs; 0 = 13
	err    error

	epsilon float64 // added to the variance of a norm
}

// New is a graph of a name, without nodes. weight reads a tensor by its
// state-dict name, kernels as [out, in, kh, kw].
func New(name string, weight func(name string) (*tensors.Tensor, error)) *Builder {
	return &Builder{Graph: &protos.GraphProto{Name: name}, weight: weight, inits: map[Value]bool{}, epsilon: layers.Epsilon}
}

// Err is the first error.
func (b *Builder) Err() error { return b.err }

// Attr is an attribute: an int, []int, float64 or string.
type Attr struct {
	Name string
	V    any
}

// A is an attribute.
func A(name string, v any) Attr { return Attr{name, v} }

func (a Attr) proto() *protos.AttributeProto {
	p := &protos.AttributeProto{Name: a.Name}
	switch v := a.V.(type) {
	case int:
		p.Type, p.I = protos.AttributeProto_INT, int64(v)
	case []int:
		p.Type = protos.AttributeProto_INTS
		for _, x := range v {
			p.Ints = append(p.Ints, int64(x))
		}
	case float64:
		p.Type, p.F = protos.AttributeProto_FLOAT, float32(v)
	case string:
		p.Type, p.S = protos.AttributeProto_STRING, []byte(v)
	default:
		panic(fmt.Sprintf("attribute %s of type %T", a.Name, a.V))
	}
	return p
}

// Op appends a node and returns its output.
func (b *Builder) Op(kind string, in []Value, attrs ...Attr) Value {
	out := Value(fmt.Sprintf("%s_%d", kind, len(b.Graph.Node)))
	b.Named(out, kind, in, attrs...)
	return out
}

// Named appends a node whose output has a name.
func (b *Builder) Named(out Value, kind string, in []Value, attrs ...Attr) {
	node := &protos.NodeProto{OpType: kind, Name: string(out), Output: []string{string(out)}}
	for _, v := range in {
		node.Input = append(node.Input, string(v))
	}
	for _, a := range attrs {
		node.Attribute = append(node.Attribute, a.proto())
	}
	b.Graph.Node = append(b.Graph.Node, node)
}

// Floats is a constant.
func (b *Builder) Floats(name string, v []float32, dims ...int) Value {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return b.constant(name, protos.TensorProto_FLOAT, raw, dims)
}

// Ints is a constant of one axis.
func (b *Builder) Ints(v ...int) Value {
	return b.IntTable(v, len(v))
}

func (b *Builder) constant(name string, kind protos.TensorProto_DataType, raw []byte, dims []int) Value {
	t := &protos.TensorProto{Name: name, DataType: int32(kind), RawData: raw}
	for _, d := range dims {
		t.Dims = append(t.Dims, int64(d))
	}
	b.Graph.Initializer = append(b.Graph.Initializer, t)
	b.inits[Value(name)] = true
	return Value(name)
}

// values reads a tensor of the network.
func (b *Builder) values(name string) (flat []float32, dims []int) {
	t, err := b.weight(name)
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return nil, []int{0, 0, 0, 0}
	}
	tensors.MustConstFlatData(t, func(v []float32) { flat = append(flat, v...) })
	return flat, t.Shape().Dimensions
}

// Conv is a convolution with bias, the variables at module.
func (b *Builder) Conv(x Value, module string, stride, dilation int) Value {
	w, dims := b.values(module + ".weight")
	bias, _ := b.values(module + ".bias")
	return b.convolve(x, module, w, dims, bias, stride, dilation)
}

// ConvPlain is a convolution without bias, the variable at module.
func (b *Builder) ConvPlain(x Value, module string, stride, dilation int) Value {
	w, dims := b.values(module + ".weight")
	return b.convolve(x, module, w, dims, nil, stride, dilation)
}

// NormReLU is the batch normalisation of module norm, and ReLU.
func (b *Builder) NormReLU(x Value, norm string) Value {
	in := []Value{x}
	for _, leaf := range []string{"weight", "bias", "running_mean", "running_var"} {
		name := norm + "." + leaf
		if !b.Has(Value(name)) {
			flat, _ := b.values(name)
			if b.err != nil {
				return x
			}
			b.Floats(name, flat, len(flat))
		}
		in = append(in, Value(name))
	}
	return b.Op("Relu", []Value{b.Op("BatchNormalization", in, A("epsilon", layers.Epsilon))})
}

// ConvNorm is a convolution with the batch normalisation of module norm folded
// in, and ReLU.
func (b *Builder) ConvNorm(x Value, module, norm string, stride, dilation int) Value {
	return b.Op("Relu", []Value{b.ConvLinear(x, module, norm, stride, dilation)})
}

// ConvLinear is ConvNorm without ReLU.
func (b *Builder) ConvLinear(x Value, module, norm string, stride, dilation int) Value {
	w, dims, bias := b.folded(module, norm)
	return b.convolve(x, module, w, dims, bias, stride, dilation)
}

// ConvSame is ConvLinear with TensorFlow's padding SAME: the size of the result
// is that of x divided by the stride and rounded up, and an odd zero lies at the
// bottom and right. Stride or dilation is 1.
func (b *Builder) ConvSame(x Value, module, norm string, stride, dilation int) Value {
	return b.same(x, module, norm, stride, dilation, 1)
}

// DepthwiseSame is ConvSame with a kernel for each channel, [channels, 1, kh, kw].
func (b *Builder) DepthwiseSame(x Value, module, norm string, stride, dilation int) Value {
	return b.same(x, module, norm, stride, dilation, 0)
}

// same has a group per output channel for groups = 0.
func (b *Builder) same(x Value, module, norm string, stride, dilation, groups int) Value {
	w, dims, bias := b.folded(module, norm)
	if groups == 0 {
		groups = dims[0]
	}
	attrs := []Attr{{"group", groups}}
	if stride > 1 {
		attrs = append(attrs, Attr{"auto_pad", "SAME_UPPER"})
	}
	return b.convolve(x, module, w, dims, bias, stride, dilation, attrs...)
}

// UseEpsilon sets what is added to variances until the returned function is
// called.
func (b *Builder) UseEpsilon(epsilon float64) (restore func()) {
	was := b.epsilon
	b.epsilon = epsilon
	return func() { b.epsilon = was }
}

// folded is the kernel of a module with the batch normalisation of module norm
// in it, and the bias.
func (b *Builder) folded(module, norm string) (w []float32, dims []int, bias []float32) {
	w, dims = b.values(module + ".weight")
	gamma, _ := b.values(norm + ".weight")
	beta, _ := b.values(norm + ".bias")
	mean, _ := b.values(norm + ".running_mean")
	variance, _ := b.values(norm + ".running_var")
	if b.err != nil {
		return nil, []int{0, 0, 0, 0}, nil
	}
	bias = make([]float32, dims[0])
	per := len(w) / dims[0]
	for o := range bias {
		scale := float64(gamma[o]) / math.Sqrt(float64(variance[o])+b.epsilon)
		bias[o] = float32(float64(beta[o]) - float64(mean[o])*scale)
		for i := range per {
			w[o*per+i] = float32(float64(w[o*per+i]) * scale)
		}
	}
	return w, dims, bias
}

func (b *Builder) convolve(x Value, module string, w []float32, dims []int, bias []float32, stride, dilation int, attrs ...Attr) Value {
	if b.err != nil {
		return x
	}
	weight := Value(module + ".weight")
	offset := Value(module + ".bias")
	in := []Value{x, weight}
	if bias != nil {
		in = append(in, offset)
	}
	if !b.Has(weight) { // MSC applies the network three times
		b.Floats(string(weight), w, dims...)
		if bias != nil {
			b.Floats(string(offset), bias, len(bias))
		}
	}
	attrs = append(attrs, Attr{"kernel_shape", []int{dims[2], dims[3]}}, Attr{"strides", []int{stride, stride}}, Attr{"dilations", []int{dilation, dilation}})
	if !slices.ContainsFunc(attrs, func(a Attr) bool { return a.Name == "auto_pad" }) {
		pad := dilation * (dims[2] - 1) / 2
		attrs = append(attrs, Attr{"pads", []int{pad, pad, pad, pad}})
	}
	return b.Op("Conv", in, attrs...)
}

// Has tells whether there is a constant of a name.
func (b *Builder) Has(name Value) bool { return b.inits[name] }

// Size is the height and width of x, int64 [2].
func (b *Builder) Size(x Value) Value {
	return b.Op("Slice", []Value{b.Op("Shape", []Value{x}), b.Ints(2), b.Ints(4)})
}

// Resize scales x bilinearly to a size, pixel areas aligned.
func (b *Builder) Resize(x, size Value) Value { return b.resizeBy("half_pixel", x, size) }

// ResizeCorners is Resize with the corner pixels aligned.
func (b *Builder) ResizeCorners(x, size Value) Value { return b.resizeBy("align_corners", x, size) }

// ResizeBy is Resize to height and width times scale, rounded down, where
// neighbours lie 1/scale pixels apart.
func (b *Builder) ResizeBy(x Value, scale float32) Value {
	scales := b.Floats(fmt.Sprintf("scales_%d", len(b.Graph.Initializer)), []float32{1, 1, scale, scale}, 4)
	return b.Op("Resize", []Value{x, "", scales}, A("mode", "linear"), A("coordinate_transformation_mode", "half_pixel"))
}

func (b *Builder) resizeBy(grid string, x, size Value) Value {
	head := b.Op("Slice", []Value{b.Op("Shape", []Value{x}), b.Ints(0), b.Ints(2)})
	sizes := b.Op("Concat", []Value{head, size}, Attr{"axis", 0})
	return b.Op("Resize", []Value{x, "", "", sizes}, Attr{"mode", "linear"}, Attr{"coordinate_transformation_mode", grid})
}

// Scaled is the size of x times s, rounded down.
func (b *Builder) Scaled(x Value, s float32) Value {
	f := b.AsFloat(b.Size(x))
	f = b.Op("Mul", []Value{f, b.Floats(fmt.Sprintf("factor_%g_%d", s, len(b.Graph.Initializer)), []float32{s}, 1)})
	return b.Op("Cast", []Value{b.Op("Floor", []Value{f})}, A("to", int(protos.TensorProto_INT64)))
}

// Model wraps the graph, without the constants that no operation has taken, of which
// ONNX Runtime would warn.
func (b *Builder) Model(metadata map[string]string) *protos.ModelProto {
	used := map[string]bool{}
	for _, n := range b.Graph.Node {
		for _, name := range n.Input {
			used[name] = true
		}
	}
	for _, o := range b.Graph.Output {
		used[o.Name] = true
	}
	b.Graph.Initializer = slices.DeleteFunc(b.Graph.Initializer, func(c *protos.TensorProto) bool { return !used[c.Name] })
	m := &protos.ModelProto{
		IrVersion: 7, ProducerName: "wsss", Graph: b.Graph,
		OpsetImport: []*protos.OperatorSetIdProto{{Version: int64(max(b.opset, 13))}},
	}
	if b.opset > 13 {
		m.IrVersion = 8
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		m.MetadataProps = append(m.MetadataProps, &protos.StringStringEntryProto{Key: key, Value: metadata[key]})
	}
	return m
}

// Port describes an input or output; a string is a free dimension.
func Port(name string, kind protos.TensorProto_DataType, dims ...any) *protos.ValueInfoProto {
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
