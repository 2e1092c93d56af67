package backend_test

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend/backendtest"
)

// TestVariablesAreInputs: a compiled graph takes a variable's value as it is when the
// graph runs, also one that trains nothing: networks are judged while they learn.
func TestVariablesAreInputs(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		v, err := store.CreateVariable("weight", tensors.FromValue([]float32{2, 3}))
		if err != nil {
			t.Fatal(err)
		}
		exec := model.MustNewExec(b, store, func(_ *model.Scope, x *Node) *Node { return Mul(x, v.NodeValue(x.Graph())) })
		defer exec.Finalize()
		for _, want := range []float32{3, 5} {
			if err := v.SetValue(tensors.FromValue([]float32{2, want})); err != nil {
				t.Fatal(err)
			}
			if got := tensors.MustCopyFlatData[float32](exec.MustCall1([]float32{1, 1})); got[1] != want {
				t.Errorf("%v, want %v", got[1], want)
			}
		}
	})
}
