package legalise

import (
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
)

// TestSuppressionBounded: boxes that overlap none are compared with all that were
// kept, but not without end; and what is left out has the standard's defaults.
func TestSuppressionBounded(t *testing.T) {
	defer func(was int) { maxOverlaps = was }(maxOverlaps)
	maxOverlaps = 1000
	const boxes = 100
	at, scores := make([]float64, 4*boxes), make([]float64, boxes)
	for i := range boxes {
		at[4*i], at[4*i+1], at[4*i+2], at[4*i+3] = float64(2*i), 0, float64(2*i+1), 1
	}
	node := &protos.NodeProto{OpType: "NonMaxSuppression", Output: []string{"selected"}}
	run := func(most ...int64) ([]*Value, error) {
		in := []*Value{{DType: Float, Dims: []int{1, boxes, 4}, Const: &Const{Floats: at}}, {DType: Float, Dims: []int{1, 1, boxes}, Const: &Const{Floats: scores}}}
		if most != nil {
			in = append(in, &Value{DType: Int64, Dims: []int{1}, Const: &Const{Ints: most}})
		}
		return Compute(node, in)
	}
	if _, err := run(1 << 40); err == nil || !strings.Contains(err.Error(), "more than 1000 pairs of boxes") {
		t.Errorf("all boxes: %v", err)
	}
	for most, want := range map[int64]int{10: 10, 0: 0, -3: 0} {
		if out, err := run(most); err != nil || out[0].Dims[0] != want {
			t.Errorf("%d at most: %v, %v", most, out, err)
		}
	}
	if out, err := run(); err != nil || out[0].Dims[0] != 0 {
		t.Errorf("without a number: %v, %v", out, err)
	}
	if _, err := Compute(&protos.NodeProto{OpType: "Relu", Output: []string{"y"}}, nil); err == nil {
		t.Error("an op that is not computed apart was")
	}
}
