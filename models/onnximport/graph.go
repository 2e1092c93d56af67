package onnximport

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
	"wsss/models/onnximport/legalise"
)

// Graph builds the model into the graph of inputs and returns its outputs, in
// the order of OutputNames, for training through it or to compose it with
// other layers. Weights become variables of scope, named as in the file, read
// when they are first needed; floats are trainable, the rest is not. values
// gives inputs that shapes depend on (see NeedsValues); they are compiled in.
//
// It panics on errors, as graph building functions do.
func (m *Model) Graph(scope *model.Scope, inputs map[string]*graph.Node, values map[string]*tensors.Tensor) []*graph.Node {
	return m.GraphAs(Way{}, scope, inputs, values)
}

// Way is how a graph is computed; it changes nothing but rounding, time and
// memory.
type Way struct {
	// Half computes matrix products and convolutions in bfloat16, as PyTorch's
	// autocast: weights, sums, norms and softmax stay float32.
	Half bool
	// Cuts are values of the main graph, two at least, each made from the one
	// before and weights alone. The backward pass keeps these and computes again
	// what lies between them.
	Cuts []string

	training bool // gradients are wanted
}

// GraphAs is Graph, computed in the given way.
func (m *Model) GraphAs(way Way, scope *model.Scope, inputs map[string]*graph.Node, values map[string]*tensors.Tensor) []*graph.Node {
	var g *graph.Graph
	shapes := map[string][]int{}
	for name, node := range inputs {
		g = node.Graph()
		shapes[name] = node.Shape().Dimensions
	}
	if g == nil {
		panic(fmt.Errorf("%s: no inputs given", m.Path()))
	}
	opt := m.legaliseOptions(g.Backend(), shapes)
	opt.Trainable, way.training = true, true
	if way.Cuts != nil {
		opt.Outputs = slices.Concat(m.OutputNames(), way.Cuts)
	}
	for name, t := range values {
		opt.Shapes[name] = t.Shape().Dimensions
		c, err := constOf(t)
		if err != nil {
			panic(fmt.Errorf("%s: input %q: %w", m.Path(), name, err))
		}
		opt.Values[name] = c
	}
	prog, err := m.legalised(opt)
	if err != nil {
		panic(err)
	}
	outs, err := m.build(scope, g, prog, inputs, way)
	if err != nil {
		panic(err)
	}
	return outs
}

// legaliseOptions are the options for an engine and input shapes.
func (m *Model) legaliseOptions(b compute.Backend, shapes map[string][]int) legalise.Options {
	kind := backend.KindOf(b)
	return legalise.Options{
		Shapes:         shapes,
		Values:         map[string]*legalise.Const{},
		Outputs:        m.opt.Outputs,
		LowerConv:      kind == backend.Go,
		FlatProducts:   kind == backend.ONNX, // others than of rank 2 become Einsum
		BiasInProducts: kind == backend.Go,
		NoSort:         kind == backend.ONNX,
	}
}

// legalised runs the legaliser; errors name the file.
func (m *Model) legalised(opt legalise.Options) (*legalise.Program, error) {
	prog, err := legalise.Run(m.file, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path(), err)
	}
	return prog, nil
}

// needsValues returns the inputs whose elements must be known beforehand, if
// that is what err is about.
func needsValues(err error) []string {
	var need *legalise.NeedsValue
	if errors.As(err, &need) {
		return need.Inputs
	}
	return nil
}

// build imports a program into g. It panics where GoMLX's graph building does.
func (m *Model) build(scope *model.Scope, g *graph.Graph, prog *legalise.Program, inputs map[string]*graph.Node, way Way) ([]*graph.Node, error) {
	given := map[string]*graph.Node{}
	for _, in := range prog.Inputs {
		node := inputs[in.Name]
		if node == nil {
			return nil, fmt.Errorf("%s: input %q is missing", m.Path(), in.Name)
		}
		given[in.Name] = node
	}
	for _, w := range prog.Weights() {
		v, err := m.variable(scope, g.Backend(), w)
		if err != nil {
			return nil, err
		}
		given[w.Name] = v.NodeValue(g)
	}
	if slices.ContainsFunc(prog.Outputs, func(v *legalise.Value) bool { return v.Len() == 0 }) {
		panic(errors.New("an output is empty for these input shapes"))
	}
	var outs []*graph.Node
	var err error
	if len(way.Cuts) > 1 {
		outs, err = m.buildParts(g, prog, given, way)
	} else {
		outs, err = m.buildSegments(g, prog, given, way)
	}
	if err != nil {
		return nil, err
	}
	for i, o := range outs {
		// The same node twice, or an input passed through, would tie two
		// results to one buffer.
		if slices.Contains(outs[:i], o) || o.Type() == graph.NodeTypeParameter {
			outs[i] = graph.Identity(o)
		}
	}
	return outs, nil
}
