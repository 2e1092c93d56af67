package onnxtest

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes/float16"
)

// Widen writes the half-precision ONNX file at path with all of it in float32, and
// returns where: what ONNX Runtime computes then is rounded to float32 alone.
func Widen(t testing.TB, path string) string {
	t.Helper()
	return Edited(t, path, "wide-"+filepath.Base(path), func(g *protos.GraphProto) {
		for _, w := range g.Initializer {
			widenTensor(t, w)
		}
		for _, n := range g.Node {
			for _, a := range n.Attribute {
				if a.T != nil {
					widenTensor(t, a.T)
				}
				if n.OpType == "Cast" && a.Name == "to" && a.I == int64(protos.TensorProto_FLOAT16) {
					a.I = int64(protos.TensorProto_FLOAT)
				}
			}
		}
		for _, ports := range [][]*protos.ValueInfoProto{g.Input, g.Output} {
			for _, p := range ports {
				if e := p.GetType().GetTensorType(); e.GetElemType() == int32(protos.TensorProto_FLOAT16) {
					e.ElemType = int32(protos.TensorProto_FLOAT)
				}
			}
		}
		g.ValueInfo = nil // which tells of half precision
	})
}

func widenTensor(t testing.TB, w *protos.TensorProto) {
	if w.DataType != int32(protos.TensorProto_FLOAT16) {
		return
	}
	if len(w.RawData) == 0 {
		t.Fatalf("%s: its values are not raw", w.Name)
	}
	wide := make([]byte, 0, 2*len(w.RawData))
	for i := 0; i < len(w.RawData); i += 2 {
		half := float16.FromBits(binary.LittleEndian.Uint16(w.RawData[i:]))
		wide = binary.LittleEndian.AppendUint32(wide, math.Float32bits(half.Float32()))
	}
	w.DataType, w.RawData = int32(protos.TensorProto_FLOAT), wide
}
