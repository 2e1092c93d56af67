package legalise

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/onnxfile"
)

// Options fix what the graph is legalised for.
type Options struct {
	// Shapes gives the dimensions of the graph inputs, by name. Inputs whose
	// declared dimensions are all numbers may be left out.
	Shapes map[string][]int
	// Values compiles inputs in: their elements are constants of the program.
	Values map[string]*Const
	// Outputs are the wanted values, graph outputs or any other name of the
	// main graph; nil means the graph outputs.
	Outputs []string
	// Trainable keeps every float initializer a variable, however small.
	Trainable bool
	// LowerConv writes convolutions as matrix products, for engines whose own
	// convolution is slow.
	LowerConv bool
	// FlatProducts writes products of batches with a plain matrix as products
	// of two matrices, for engines that are faster on those.
	FlatProducts bool
	// BiasInProducts lets products compute what is added to them along one
	// axis, for engines that are slow at adding with broadcast.
	BiasInProducts bool
	// NoSort writes TopK without sorting, for engines that cannot sort.
	NoSort bool
	// Given are values of the main graph that are made elsewhere, by name: what
	// makes them is left out. Those whose elements are not known are inputs of the
	// program.
	Given map[string]*Value
	// Survey goes on after nodes that fail and lists them in Program.Failed.
	Survey bool
}

// Program is a legalised graph. Nodes are in order; all shapes are known.
type Program struct {
	Inputs  []*Value // those the outputs depend on
	Nodes   []*Node
	Outputs []*Value // as asked for

	Rewritten map[string]int   // ops of the file replaced by a rule
	Folded    map[string]int   // ops of the file that were computed
	Failed    map[string]error // Survey: first error per op; not what follows from it
	Apart     map[string]int   // Survey: ops that must be computed apart (Compute)
}

// Run legalises the main graph of f.
func Run(f *onnxfile.File, opt Options) (prog *Program, err error) {
	g := f.Proto.Graph
	b := &Builder{opt: opt, file: f, opset: opsetOf(f.Proto), taken: map[string]int{},
		consts: map[string]*Value{}, derived: map[derived]*Value{}, notes: map[*Value]any{}, rewritten: map[string]int{}, folded: map[string]int{}, apart: map[string]int{}}
	b.scope = newScope(nil, g)
	defer catch(&err)

	wanted := opt.Outputs
	if wanted == nil {
		for _, o := range g.Output {
			wanted = append(wanted, o.Name)
		}
	}
	prog = &Program{Rewritten: b.rewritten, Folded: b.folded, Failed: map[string]error{}, Apart: b.apart}
	nodes, names := reachable(g, wanted, opt.Given)
	for _, in := range g.Input {
		if b.scope.inits[in.Name] != nil || !names[in.Name] {
			continue
		}
		v, err := b.input(in)
		if err != nil {
			return nil, err
		}
		b.scope.values[in.Name] = v
	}
	for name, v := range opt.Given {
		if names[name] {
			b.scope.values[name] = b.given(name, v)
		}
	}
	for _, n := range nodes {
		if err := b.node(n); err != nil {
			var need *NeedsValue
			if errors.As(err, &need) && apart[n.OpType] {
				need.Op, need.Apart = n.OpType, n.Output[0]
			}
			if !opt.Survey {
				return nil, explain(n, err)
			}
			var after *notMade
			if prog.Failed[n.OpType] == nil && !errors.As(err, &after) {
				prog.Failed[n.OpType] = explain(n, err)
			}
		}
	}
	if opt.Survey && len(prog.Failed) > 0 {
		return prog, nil
	}
	for i, name := range wanted {
		prog.Outputs = append(prog.Outputs, b.result(i, name))
	}
	b.finish(prog)
	if opt.Trainable { // what a gradient needs is kept longer: the training tells what does not fit
		return prog, nil
	}
	return prog, boundLive(prog)
}

// inDomain tells whether an op is one that this package knows under the name.
// An op of another domain is another op, whatever it is called.
func inDomain(domain, op string) bool {
	switch domain {
	case "", "ai.onnx":
		return true
	case "com.microsoft": // ONNX Runtime's own
		return slices.Contains(ofRuntime, op)
	}
	return false
}

var ofRuntime = []string{"QuickGelu", "Gelu", "BiasGelu", "FastGelu", "SkipLayerNormalization", "SimplifiedLayerNormalization",
	"LayerNormalization", "QuantizeLinear", "DequantizeLinear", "Trilu"}

// maxOpset is the newest operator set that the rules were written for, and some
// beyond: sets change few ops.
const maxOpset = 26

// CheckOpset refuses a file of an operator set that does not exist.
func CheckOpset(m *protos.ModelProto) error {
	for _, o := range m.OpsetImport {
		if (o.Domain == "" || o.Domain == "ai.onnx") && (o.Version < 1 || o.Version > maxOpset) {
			return fmt.Errorf("operator set %d: allowed are 1 to %d", o.Version, maxOpset)
		}
	}
	return nil
}

func opsetOf(m *protos.ModelProto) int {
	for _, o := range m.OpsetImport {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			return int(o.Version)
		}
	}
	return 1
}

// input makes the value of a graph input.
func (b *Builder) input(p *protos.ValueInfoProto) (*Value, error) {
	declared, dtype, err := InputType(p)
	if err != nil {
		return nil, err
	}
	dims := b.opt.Shapes[p.Name]
	if dims == nil {
		dims = declared
	}
	if declared != nil && len(dims) != len(declared) {
		return nil, fmt.Errorf("input %q has rank %d, shape %v given", p.Name, len(declared), dims)
	}
	for i, d := range dims {
		if d < 0 {
			return nil, fmt.Errorf("input %q is missing: its dimension %d is open, so its shape must be given", p.Name, i)
		}
		if declared != nil && declared[i] >= 0 && declared[i] != d {
			return nil, fmt.Errorf("input %q: shape %v given, the model takes %v", p.Name, dims, declared)
		}
	}
	if _, err := onnxfile.Size(dims); err != nil {
		return nil, fmt.Errorf("input %q: %w", p.Name, err)
	}
	v := &Value{Name: b.unique(p.Name), DType: dtype, Dims: slices.Clone(dims)}
	if n := bytesOf(v); n > maxTensor {
		return nil, fmt.Errorf("input %q: %w", p.Name, &TooLarge{fmt.Sprintf("a value of shape %v", dims), n, maxTensor})
	}
	switch c := b.opt.Values[p.Name]; {
	case c != nil && max(len(c.Ints), len(c.Floats)) == v.Len():
		v.Const = c
	case v.Len() == 0:
		v.Const = emptyConst(dtype)
	default:
		v.Input = true
	}
	return v, nil
}

// given makes the value of one that is made elsewhere.
func (b *Builder) given(name string, v *Value) *Value {
	bound(v)
	return &Value{Name: b.unique(name), DType: v.DType, Dims: v.Dims, Const: v.Const, Input: v.Const == nil}
}

// InputType returns the declared dimensions (-1 where open; nil where even
// the rank is) and element type of a graph input or output.
func InputType(p *protos.ValueInfoProto) ([]int, DType, error) {
	t := p.GetType().GetTensorType()
	if t == nil {
		return nil, 0, fmt.Errorf("%q is not a tensor", p.Name)
	}
	dtype := onnxfile.Widen(DType(t.ElemType))
	if t.Shape == nil {
		return nil, dtype, nil
	}
	if n := len(t.Shape.Dim); n > onnxfile.MaxRank {
		return nil, 0, fmt.Errorf("%q: rank %d, allowed up to %d", p.Name, n, onnxfile.MaxRank)
	}
	dims := make([]int, len(t.Shape.Dim))
	for i, d := range t.Shape.Dim {
		dims[i] = -1
		if v, ok := d.GetValue().(*protos.TensorShapeProto_Dimension_DimValue); ok && v.DimValue >= 0 {
			dims[i] = int(v.DimValue)
		}
	}
	return dims, dtype, nil
}

// Reachable returns the nodes that the wanted names depend on, in the file's
// order.
func Reachable(g *protos.GraphProto, wanted []string) []*protos.NodeProto {
	nodes, _ := reachable(g, wanted, nil)
	return nodes
}

// reachable returns the nodes that the wanted names depend on beside the given
// ones, in the file's order, and every name that they or the caller use.
func reachable(g *protos.GraphProto, wanted []string, given map[string]*Value) ([]*protos.NodeProto, map[string]bool) {
	maker := map[string]int{}
	for i, n := range g.Node {
		for _, o := range n.Output {
			if o != "" {
				maker[o] = i
			}
		}
	}
	names := map[string]bool{}
	need := make([]bool, len(g.Node))
	stack := slices.Clone(wanted)
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if names[name] {
			continue
		}
		names[name] = true
		if given[name] != nil {
			continue
		}
		if i, ok := maker[name]; ok && !need[i] {
			need[i] = true
			stack = appendUses(stack, g.Node[i], 0)
		}
	}
	var nodes []*protos.NodeProto
	for i, n := range g.Node {
		if need[i] {
			nodes = append(nodes, n)
		}
	}
	return nodes, names
}

// Uses lists the names that n and its sub-graphs read.
func Uses(n *protos.NodeProto) []string { return appendUses(nil, n, 0) }

// appendUses adds the names that n and its sub-graphs read.
func appendUses(names []string, n *protos.NodeProto, depth int) []string {
	names = append(names, n.Input...)
	if depth > 32 {
		return names
	}
	for _, a := range n.Attribute {
		if a.G == nil {
			continue
		}
		for _, inner := range a.G.Node {
			names = appendUses(names, inner, depth+1)
		}
		for _, o := range a.G.Output {
			names = append(names, o.Name)
		}
	}
	return names
}

// node legalises one node of the file and binds its outputs.
func (b *Builder) node(p *protos.NodeProto) (err error) {
	defer catch(&err)
	b.calls = 0
	n := &Node{Op: p.OpType, Domain: p.Domain, Name: p.Name, Attrs: attrsOf(p), outs: p.Output, scope: b.scope}
	for _, name := range p.Input {
		n.In = append(n.In, b.lookup(name))
	}
	if !inDomain(p.Domain, p.OpType) {
		failf("op %s is not supported", qualified(n))
	}
	before := len(b.nodes)
	ruled := rules[p.OpType] != nil
	out := b.apply(n)
	for i, name := range p.Output {
		if name == "" {
			continue
		}
		if i >= len(out) || out[i] == nil {
			failf("output %d is not supported", i)
		}
		b.scope.values[name] = out[i]
	}
	switch {
	case len(b.nodes) == before:
		b.folded[p.OpType]++
	case ruled && b.nodes[len(b.nodes)-1] != n:
		b.rewritten[p.OpType]++
	}
	return nil
}

// finish drops what the outputs do not use and lists the inputs that they do.
func (b *Builder) finish(p *Program) {
	used := map[*Value]bool{}
	for _, v := range p.Outputs {
		used[v] = true
	}
	for _, n := range slices.Backward(b.nodes) {
		if slices.ContainsFunc(n.Out, func(v *Value) bool { return used[v] }) {
			p.Nodes = append(p.Nodes, n)
			for _, v := range n.In {
				if v != nil {
					used[v] = true
				}
			}
		}
	}
	slices.Reverse(p.Nodes)
	for _, in := range b.file.Proto.Graph.Input {
		if v := b.scope.values[in.Name]; v != nil && v.Input && used[v] {
			p.Inputs = append(p.Inputs, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.opt.Given)) {
		if v := b.scope.values[name]; v != nil && v.Input && used[v] {
			p.Inputs = append(p.Inputs, v)
		}
	}
}
