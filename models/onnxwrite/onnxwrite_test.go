package onnxwrite

import (
	"slices"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
)

// TestModelKeepsWhatIsUsed: constants that operations or outputs take stay, the others
// are left out.
func TestModelKeepsWhatIsUsed(t *testing.T) {
	b := New("net", nil)
	b.Input("image", protos.TensorProto_FLOAT, 2)
	b.Floats("nobody", []float32{1}, 1)
	b.Named("sum", "Add", []Value{Image, b.Floats("added", []float32{1, 2}, 2)})
	b.Floats("given", []float32{3}, 1)
	b.Output("sum", protos.TensorProto_FLOAT, 2)
	b.Output("given", protos.TensorProto_FLOAT, 1)
	var names []string
	for _, c := range b.Model(nil).Graph.Initializer {
		names = append(names, c.Name)
	}
	if want := []string{"added", "given"}; !slices.Equal(names, want) {
		t.Errorf("constants %q, want %q", names, want)
	}
}
