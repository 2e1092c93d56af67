package onnximport

import (
	"fmt"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"wsss/models/onnximport/legalise"
)

// isProduct tells the ops that half precision is for: the legaliser writes all
// products as these.
func isProduct(n *legalise.Node) bool {
	return (n.Op == "MatMul" || n.Op == "Conv") && n.Out[0].DType == legalise.Float
}

// product builds a product of float32 in bfloat16, with a result of float32.
func (s *segments) product(n *legalise.Node, in []*graph.Node) *graph.Node {
	// The importer takes its types from the declared ones: each operand is
	// declared as an input of bfloat16.
	op := *n
	op.In = nil
	given := map[string]*graph.Node{}
	piece := &legalise.Program{}
	for i, x := range in {
		v := &legalise.Value{Name: fmt.Sprintf("in%d", i), DType: protos.TensorProto_BFLOAT16, Dims: x.Shape().Dimensions, Input: true}
		op.In = append(op.In, v)
		piece.Inputs = append(piece.Inputs, v)
		given[v.Name] = graph.ConvertDType(x, dtypes.BFloat16)
	}
	out := &legalise.Value{Name: "out", DType: protos.TensorProto_BFLOAT16, Dims: n.Out[0].Dims, Node: &op}
	op.Out = []*legalise.Value{out}
	piece.Nodes, piece.Outputs = []*legalise.Node{&op}, op.Out
	y, err := s.model.convert(s.g, piece, given)
	if err != nil {
		panic(err)
	}
	return graph.ConvertDType(y[0], dtypes.Float32)
}
