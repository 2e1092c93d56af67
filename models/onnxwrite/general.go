package onnxwrite

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/gomlx/compute-onnx/support/protos"
)

// Input declares an input; a dimension that is a string is free.
func (b *Builder) Input(name string, kind protos.TensorProto_DataType, dims ...any) Value {
	b.Graph.Input = append(b.Graph.Input, Port(name, kind, dims...))
	return Value(name)
}

// Output declares an output, which a node of that name makes.
func (b *Builder) Output(name string, kind protos.TensorProto_DataType, dims ...any) {
	b.Graph.Output = append(b.Graph.Output, Port(name, kind, dims...))
}

// Ops appends a node of n outputs.
func (b *Builder) Ops(kind string, n int, in []Value, attrs ...Attr) []Value {
	first := b.Op(kind, in, attrs...)
	node := b.Graph.Node[len(b.Graph.Node)-1]
	out := []Value{first}
	for i := 1; i < n; i++ {
		more := fmt.Sprintf("%s_%d", first, i)
		node.Output, out = append(node.Output, more), append(out, Value(more))
	}
	return out
}

// AsFloat is x as float32.
func (b *Builder) AsFloat(x Value) Value {
	return b.Op("Cast", list(x), A("to", int(protos.TensorProto_FLOAT)))
}

// Float is a scalar constant.
func (b *Builder) Float(v float32) Value {
	return b.Floats(fmt.Sprintf("const_%d", len(b.Graph.Initializer)), []float32{v})
}

// IntTable is a constant of whole numbers in a shape, int64.
func (b *Builder) IntTable(v []int, dims ...int) Value {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return b.constant(fmt.Sprintf("const_%d", len(b.Graph.Initializer)), protos.TensorProto_INT64, raw, dims)
}

// External is a constant whose bytes, little-endian and in row-major order,
// stand in another file of the model's folder.
func (b *Builder) External(name string, kind protos.TensorProto_DataType, file string, offset, length int64, dims ...int) Value {
	v := b.constant(name, kind, nil, dims)
	t := b.Graph.Initializer[len(b.Graph.Initializer)-1]
	t.DataLocation = protos.TensorProto_EXTERNAL
	t.ExternalData = []*protos.StringStringEntryProto{
		{Key: "location", Value: file}, {Key: "offset", Value: strconv.FormatInt(offset, 10)}, {Key: "length", Value: strconv.FormatInt(length, 10)},
	}
	return v
}
