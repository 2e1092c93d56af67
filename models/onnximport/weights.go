package onnximport

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
)

// nameWeights gives every initializer of the main graph the name of its
// variable; others get theirs when they are met.
func (m *Model) nameWeights() {
	m.names = map[*protos.TensorProto]string{}
	taken := map[string]bool{}
	for _, t := range m.file.Proto.Graph.Initializer {
		name := strings.ReplaceAll(t.Name, model.ScopeSeparator, "|")
		for i := 1; taken[name] || name == ""; i++ {
			name = fmt.Sprintf("%s~%d", t.Name, i)
		}
		taken[name] = true
		m.names[t] = name
	}
}

// variableName is the name of the variable that holds weight v.
func (m *Model) variableName(v *legalise.Value) string {
	if name, ok := m.names[v.Weight.Source]; ok {
		if variant := v.Weight.Variant(); variant != "" {
			name += "|as" + variant
		}
		return name
	}
	return "constant|" + strings.ReplaceAll(v.Name, model.ScopeSeparator, "|")
}

// variable returns the variable of weight v in scope, read from the file when
// it is new. Weights that are not floats are never trained.
func (m *Model) variable(scope *model.Scope, b compute.Backend, v *legalise.Value) (*model.Variable, error) {
	name := m.variableName(v)
	if old := scope.GetVariable(name); old != nil {
		return old, nil
	}
	t, err := load(b, v.Weight)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.file.Path, err)
	}
	made, err := scope.CreateVariable(name, t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.file.Path, err)
	}
	return made.SetTrainable(legalise.IsFloat(v.DType)), nil
}

// load reads a weight from the file straight into a tensor, in memory that
// the backend shares where it can.
func load(b compute.Backend, w *onnxfile.Tensor) (*tensors.Tensor, error) {
	dtype, ok := dtypeOf[w.DType]
	if !ok {
		return nil, fmt.Errorf("tensor %q: element type %v is not supported", w.Name, w.DType)
	}
	t, err := tensors.FromShapeForBackend(b, 0, shapes.Make(dtype, w.Dims...))
	if err != nil {
		return nil, err
	}
	var readErr error
	if err := t.MutableBytes(func(data []byte) { readErr = w.ReadInto(data) }); err != nil {
		return nil, err
	}
	return t, readErr
}
