package onnximport

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/onnximport/onnxtest"
)

// selection is the choice of a detector's queries: the best of many scores.
// What a query computes depends on the rank that its score has, so engines that
// round otherwise may exchange two queries whose scores are nearly equal.
type selection struct{ scores, index string }

// TestSelection compares the tiny Grounding-DINO as TestFullSize does the real
// one, the choice of its queries included.
func TestSelection(t *testing.T) {
	if backend.FindORT() == "" {
		t.Skip("ONNX Runtime is not installed: nothing to compare with")
	}
	model, err := os.ReadFile("../foundation/zoo/gdino.onnx")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "gdino")
	for ending, data := range map[string][]byte{".onnx": model, ".json": []byte(`{
		"img": {"dims": [1, 3, 128, 128], "type": "float32"},
		"input_ids": {"dims": [1, 4], "type": "int64", "values": [2, 5, 4, 3]},
		"attention_mask": {"dims": [1, 4], "type": "bool", "values": [1, 1, 1, 1]},
		"position_ids": {"dims": [1, 4], "type": "int64", "values": [0, 0, 1, 0]},
		"token_type_ids": {"dims": [1, 4], "type": "int64", "values": [0, 0, 0, 0]},
		"text_token_mask": {"dims": [1, 4, 4], "type": "bool", "values": [1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1]}}`)} {
		if err := os.WriteFile(base+ending, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if selectionIn(t, base+".onnx") == nil {
		t.Fatal("the model's choice of queries is not found")
	}
	fullSize(t, base)
}

// selectionIn finds the TopK of a model that has one.
func selectionIn(t *testing.T, path string) *selection {
	t.Helper()
	m, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, n := range m.file.Proto.Graph.Node {
		if n.OpType == "TopK" {
			return &selection{n.Input[0], n.Output[1]}
		}
	}
	return nil
}

// reference writes the model with scores and choice as further outputs, and
// returns its path and all outputs.
func (s *selection) reference(t *testing.T, path string) (string, []string) {
	t.Helper()
	var names []string
	path = onnxtest.Edited(t, path, "selection.onnx", func(g *protos.GraphProto) {
		for name, kind := range map[string]protos.TensorProto_DataType{s.scores: protos.TensorProto_FLOAT, s.index: protos.TensorProto_INT64} {
			g.Output = append(g.Output, &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
				TensorType: &protos.TypeProto_Tensor{ElemType: int32(kind)}}}})
		}
		for _, o := range g.Output {
			names = append(names, o.Name)
		}
	})
	return path, names
}

// same tells which queries start from the place that they start from in ONNX
// Runtime. All others must have been exchanged for scores that differ by no more
// than twice what the engine's scores differ from ONNX Runtime's, which must be
// rounding, and they must be few.
func (s *selection) same(t *testing.T, spec string, got, want map[string]*tensors.Tensor) []bool {
	t.Helper()
	if s == nil {
		return nil
	}
	scores, index, wantIndex := asFloats(want[s.scores]), asFloats(got[s.index]), asFloats(want[s.index])
	noise, scale := distance(asFloats(got[s.scores]), scores)
	if !(noise <= 1e-5*scale) {
		t.Errorf("%s: scores differ by %g, the largest is %g", spec, noise, scale)
	}
	kept, moved, widest := make([]bool, len(index)), 0, 0.0
	for rank, i := range index {
		if kept[rank] = i == wantIndex[rank]; kept[rank] {
			continue
		}
		moved++
		gap := math.Abs(scores[int(i)] - scores[int(wantIndex[rank])])
		widest = max(widest, gap)
		if !(gap <= 2*noise) {
			t.Errorf("%s: rank %d went from place %g to %g, whose scores differ by %g; those of the engine by %g", spec, rank, wantIndex[rank], i, gap, noise)
		}
	}
	t.Logf("%s: scores differ by %.2g of %.3g; %d of %d queries start elsewhere, from scores at most %.2g apart", spec, noise, scale, moved, len(index), widest)
	if moved*50 > len(index) {
		t.Errorf("%s: %d of %d queries start elsewhere", spec, moved, len(index))
	}
	return kept
}

// has tells whether an output is the choice itself.
func (s *selection) has(name string) bool { return s != nil && (name == s.scores || name == s.index) }

// only keeps the queries [1, queries, …] that are to be compared; nil keeps all.
func only(keep []bool, x *tensors.Tensor) []float64 {
	all := asFloats(x)
	if keep == nil {
		return all
	}
	width := len(all) / len(keep)
	var some []float64
	for q, k := range keep {
		if k {
			some = append(some, all[q*width:(q+1)*width]...)
		}
	}
	return some
}
