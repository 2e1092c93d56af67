package onnxopt

import (
	"encoding/binary"

	"github.com/gomlx/compute-onnx/support/protos"
)

// scatter writes a ScatterND that adds, multiplies or compares as ScatterElements
// of rows. ONNX Runtime's ScatterND deals the updates out to its threads, and two
// that change one place at a time lose the one or the other: a sum over many equal
// indices comes out too small, and otherwise in every run (docs/upstream.md). Its
// ScatterElements goes through them in order.
//
// The number of a row is looked up by its indices in a table of all numbers, so
// that neither the shapes nor how many indices there are need be known here.
func scatter(n *protos.NodeProto) []*protos.NodeProto {
	data, index, updates, out := n.Input[0], n.Input[1], n.Input[2], n.Output[0]
	var nodes []*protos.NodeProto
	op := func(kind, name string, attributes []*protos.AttributeProto, in ...string) string {
		name = out + "_" + name
		nodes = append(nodes, &protos.NodeProto{OpType: kind, Input: in, Output: []string{name}, Attribute: attributes})
		return name
	}
	list := func(name string, values ...int64) string {
		t := &protos.TensorProto{DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(values))}}
		for _, v := range values {
			t.RawData = binary.LittleEndian.AppendUint64(t.RawData, uint64(v))
		}
		return op("Constant", name, []*protos.AttributeProto{{Name: "value", Type: protos.AttributeProto_TENSOR, T: t}})
	}
	integer := func(name string, v int64) []*protos.AttributeProto {
		return []*protos.AttributeProto{{Name: name, Type: protos.AttributeProto_INT, I: v}}
	}
	zero, one, rest, end := list("zero", 0), list("one", 1), list("rest", -1), list("end", 1<<62)

	dims := op("Shape", "dims", nil, data)
	indices := op("Slice", "indices", nil, op("Shape", "index_dims", nil, index), rest, end) // of a row
	lead := op("Slice", "lead", nil, dims, zero, indices)
	width := op("ReduceProd", "width", integer("keepdims", 1), op("Slice", "row_dims", nil, dims, indices, end))
	rows := op("ReduceProd", "rows", integer("keepdims", 0), lead)
	scalar := func(of string) string { return op("Squeeze", of[len(out)+1:]+"_scalar", nil, of) }
	table := op("Reshape", "table", nil, op("Range", "range", nil, scalar(zero), rows, scalar(one)), lead)
	row := op("Reshape", "row", nil, op("GatherND", "number", nil, table, index), list("column", -1, 1))

	matrix := op("Concat", "matrix", integer("axis", 0), rest, width)
	all := op("Reshape", "updates", nil, updates, matrix)
	at := op("Expand", "at", nil, row, op("Shape", "updates_dims", nil, all))
	sums := op("ScatterElements", "sums", append(integer("axis", 0), &protos.AttributeProto{Name: "reduction", Type: protos.AttributeProto_STRING, S: []byte(text(n, "reduction"))}),
		op("Reshape", "data", nil, data, matrix), at, all)
	nodes = append(nodes, &protos.NodeProto{OpType: "Reshape", Input: []string{sums, dims}, Output: []string{out}})
	return nodes
}
