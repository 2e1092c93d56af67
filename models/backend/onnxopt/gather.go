package onnxopt

import (
	"encoding/binary"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// gathers writes GatherND of rows whose numbers are a constant of int32, and all
// within their bounds, as Gather, which takes them as they are. For GatherND the
// backend widens and bounds them, and ONNX Runtime would keep what comes of that:
// of the tiles of convolutions of large images hundreds of megabytes.
func gathers(g *protos.GraphProto, k *known) {
	for _, n := range g.Node {
		if n.OpType != "GatherND" || len(n.Input) != 2 {
			continue
		}
		if rows := k.rows(g, n.Input[1]); rows != "" {
			n.OpType, n.Input[1] = "Gather", rows
			n.Attribute = []*protos.AttributeProto{{Name: "axis", Type: protos.AttributeProto_INT, I: 0}}
		}
	}
}

// rows is the constant, without the axis of one that GatherND wants, from which
// bounded numbers of rows are made; "" where they are made otherwise, or a bound
// would change one.
func (k *known) rows(g *protos.GraphProto, name string) string {
	clip := k.makers[name]
	if clip == nil || clip.OpType != "Clip" || len(clip.Input) != 3 || !k.isWhole(clip.Input[1]) || !k.isWhole(clip.Input[2]) {
		return ""
	}
	cast := k.makers[clip.Input[0]]
	if cast == nil || cast.OpType != "Cast" {
		return ""
	}
	t := k.constants[cast.Input[0]]
	if t == nil || t.DataType != int32(protos.TensorProto_INT32) || t.RawData == nil || len(t.Dims) != 2 || t.Dims[1] != 1 {
		return ""
	}
	low, high := k.ints(clip.Input[1])[0], k.ints(clip.Input[2])[0]
	for raw := range slices.Chunk(t.RawData, 4) {
		if v := int64(int32(binary.LittleEndian.Uint32(raw))); v < low || v > high {
			return ""
		}
	}
	rows := t.Name + "_rows"
	if k.constants[rows] == nil {
		k.constants[rows] = &protos.TensorProto{Name: rows, DataType: t.DataType, Dims: t.Dims[:1], RawData: t.RawData}
		g.Initializer = append(g.Initializer, k.constants[rows])
	}
	return rows
}
