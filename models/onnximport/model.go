// Package onnximport runs published ONNX models in GoMLX, on every engine.
//
// Open reads a file's structure; weights stay on disk until they go straight
// into tensors. A Runner legalises the graph (package legalise) for each set
// of input shapes it meets, imports the result with onnx-gomlx, compiles and
// keeps it. Model.Graph builds the same into a larger graph, for training.
// What cannot be legalised can run whole through ONNX Runtime.
package onnximport

import (
	"fmt"
	"path/filepath"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"

	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
	_ "wsss/models/onnximport/rules" // the rewrites
)

// Options fix what a model is opened for.
type Options struct {
	// Outputs are the wanted values: names of graph outputs or of any value
	// inside the main graph. Nil means the graph outputs. What they do not
	// need is dropped.
	Outputs []string
	// Edit, where given, changes the graph in memory before anything reads it.
	// A Runner of such a model must not fall back to ONNX Runtime, which would
	// run the file as it is.
	Edit func(f *onnxfile.File) error
}

// Model is an open ONNX model. It is safe for concurrent use.
type Model struct {
	opt     Options
	file    *onnxfile.File
	names   map[*protos.TensorProto]string // variable names of the weights
	inputs  []Port
	outputs []Port
}

// Port is an input or output of a model. Dims are −1 where the file leaves
// them open, nil where it does not even tell the rank.
type Port struct {
	Name  string
	DType dtypes.DType
	Dims  []int
}

func (p Port) String() string { return fmt.Sprintf("%s %s%v", p.Name, p.DType, p.Dims) }

// Open opens the ONNX model at path. Half-precision tensors, inputs and
// outputs included, count as float32.
func Open(path string, opt Options) (*Model, error) {
	file, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	m := &Model{opt: opt, file: file}
	if opt.Edit != nil {
		if err := opt.Edit(file); err != nil {
			file.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	err = legalise.CheckOpset(file.Proto)
	if err == nil {
		err = m.readPorts()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.nameWeights()
	return m, nil
}

// Close releases the file. Runners that are made already go on working only
// with shapes that they have met.
func (m *Model) Close() error { return m.file.Close() }

// Path is the file that the model was opened from.
func (m *Model) Path() string { return m.file.Path }

// Hash identifies the contents: the SHA-256 of the file, external data
// included.
func (m *Model) Hash() (string, error) { return m.file.Hash() }

// Inputs lists what the model takes, initializers excluded.
func (m *Model) Inputs() []Port { return m.inputs }

// Outputs lists what the file declares as outputs.
func (m *Model) Outputs() []Port { return m.outputs }

// OutputNames are the names that Runner.Run returns.
func (m *Model) OutputNames() []string {
	if m.opt.Outputs != nil {
		return m.opt.Outputs
	}
	names := make([]string, len(m.outputs))
	for i, o := range m.outputs {
		names[i] = o.Name
	}
	return names
}

// Ends is the operator whose values an output holds (onnxfile.End); "" where it is
// none of the main graph.
func (m *Model) Ends(output string) string {
	return onnxfile.End(onnxfile.Makers(m.file.Proto.Graph), output).GetOpType()
}

func (m *Model) readPorts() error {
	g := m.file.Proto.Graph
	inits := map[string]bool{}
	for _, t := range g.Initializer {
		inits[t.Name] = true
	}
	for _, in := range g.Input {
		if inits[in.Name] {
			continue
		}
		p, err := portOf(in)
		if err != nil {
			return fmt.Errorf("input: %w", err)
		}
		m.inputs = append(m.inputs, p)
	}
	for _, out := range g.Output {
		p, err := portOf(out)
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
		m.outputs = append(m.outputs, p)
	}
	return nil
}

func portOf(v *protos.ValueInfoProto) (Port, error) {
	dims, dtype, err := legalise.InputType(v)
	if err != nil {
		return Port{}, err
	}
	d, ok := dtypeOf[dtype]
	if !ok {
		return Port{}, fmt.Errorf("%q: element type %v is not supported", v.Name, dtype)
	}
	return Port{Name: v.Name, DType: d, Dims: dims}, nil
}

// dtypeOf maps ONNX element types to GoMLX's.
var dtypeOf = map[legalise.DType]dtypes.DType{
	legalise.Float:            dtypes.Float32,
	legalise.Double:           dtypes.Float64,
	legalise.Int32:            dtypes.Int32,
	legalise.Int64:            dtypes.Int64,
	legalise.Bool:             dtypes.Bool,
	legalise.Uint8:            dtypes.Uint8,
	legalise.Int8:             dtypes.Int8,
	protos.TensorProto_INT16:  dtypes.Int16,
	protos.TensorProto_UINT16: dtypes.Uint16,
	protos.TensorProto_UINT32: dtypes.Uint32,
	protos.TensorProto_UINT64: dtypes.Uint64,
}

// base is the file's name without folder and ending, for messages.
func (m *Model) base() string { return filepath.Base(m.file.Path) }
