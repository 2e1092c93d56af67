package sam

import (
	"fmt"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/foundation"
	"wsss/models/onnximport/onnxfile"
)

// Inputs of the decoders of Hugging Face. That of SAM 2, by onnx-community, has boxes
// (docs/sources.md §3.6).
const (
	inPoints = "input_points"
	inLabels = "input_labels"
	inBoxes  = "input_boxes"
)

// BoxesBeside tells whether a decoder takes boxes by an input of their own, which has no
// elements where a prompt has no box. No engine but ONNX Runtime runs such a graph.
func BoxesBeside(in []foundation.Port) bool {
	return foundation.Has(in, inPoints, inLabels, inBoxes)
}

// WithoutBoxes cuts the boxes' own input off such a decoder's graph. The corners of a box go
// among its points, with labels 2 and 3, which embeds them alike.
func WithoutBoxes(f *onnxfile.File) error {
	g := f.Proto.Graph
	points, boxes := map[string]bool{inPoints: true}, map[string]bool{inBoxes: true}
	cut := false
	for _, n := range g.Node { // each after those that it depends on
		var rest []string
		fromPoints, fromBoxes := false, false
		for _, in := range n.Input {
			fromPoints, fromBoxes = fromPoints || points[in], fromBoxes || boxes[in]
			if !boxes[in] {
				rest = append(rest, in)
			}
		}
		if n.OpType == "Concat" && fromPoints && fromBoxes && len(rest) > 0 { // tokens of both
			n.Input, fromBoxes, cut = rest, false, true
		}
		for _, out := range n.Output {
			points[out], boxes[out] = fromPoints, fromBoxes && !fromPoints
		}
	}
	if !cut {
		return fmt.Errorf("%s: its boxes do not join its points: not a decoder as onnx-community exports SAM 2's", f.Path)
	}
	kept := g.Input[:0]
	for _, in := range g.Input {
		if in.Name != inBoxes {
			kept = append(kept, in)
		}
	}
	g.Input = kept
	// The size of the batch may still be read off it.
	g.Initializer = append(g.Initializer, &protos.TensorProto{Name: inBoxes, DataType: int32(protos.TensorProto_FLOAT), Dims: []int64{1, 1, 4}, RawData: make([]byte, 16)})
	return nil
}
