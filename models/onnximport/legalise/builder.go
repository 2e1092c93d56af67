package legalise

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/models/onnximport/onnxfile"
)

// Bounds on the work.
const (
	foldLimit   = 1 << 22 // elements of a folded constant
	weightLimit = 1 << 12 // float weights with more elements are never folded away
	maxNodes    = 1 << 19 // nodes after unrolling
	maxCalls    = 64      // rules within rules
	maxSteps    = 1 << 21 // ops looked at, folded ones too
	maxWork     = 1 << 27 // elements read and written by folding, rules' tables included
)

// Rule rewrites node n: it returns the values of n's outputs, or nil to keep
// n, which it may have changed, for the importer. Rules report what they
// cannot do with Failf; Builder's methods panic likewise, caught per node.
type Rule func(b *Builder, n *Node) []*Value

var rules = map[string]Rule{}

// Register adds the rule of an op; a second one for the same op panics.
func Register(op string, rule Rule) {
	if rules[op] != nil {
		panic("legalise: two rules for " + op)
	}
	rules[op] = rule
}

// Builder holds the graph under construction.
type Builder struct {
	opt   Options
	file  *onnxfile.File
	opset int
	taken map[string]int // names in use, each with the number to try next
	nodes []*Node
	scope *scope
	calls int
	steps int
	work  int

	consts    map[string]*Value // small constants by content
	derived   map[derived]*Value
	notes     map[*Value]any // what rules remember of values that they made
	rewritten map[string]int // ops of the file that a rule replaced
	folded    map[string]int // ops of the file that were computed
	apart     map[string]int // ops of the file that are to be computed apart
}

// scope maps the names of one graph body; bodies of If and Loop see outward.
type scope struct {
	parent *scope
	values map[string]*Value
	inits  map[string]*protos.TensorProto
}

func newScope(parent *scope, g *protos.GraphProto) *scope {
	s := &scope{parent: parent, values: map[string]*Value{}, inits: map[string]*protos.TensorProto{}}
	for _, t := range g.Initializer {
		s.inits[t.Name] = t
	}
	return s
}

// result finds the value of output i of a graph, which needs a name.
func (b *Builder) result(i int, name string) *Value {
	if name == "" {
		failf("output %d of the graph has no name", i)
	}
	return b.lookup(name)
}

// lookup finds the value of a name of the file; nil for "".
func (b *Builder) lookup(name string) *Value {
	if name == "" {
		return nil
	}
	for s := b.scope; s != nil; s = s.parent {
		if v := s.values[name]; v != nil {
			return v
		}
		if t := s.inits[name]; t != nil {
			v := b.weight(name, t)
			s.values[name] = v
			return v
		}
	}
	fail(&notMade{name})
	return nil
}

// weight makes the value of an initializer. Integers and tiny floats become
// constants; the rest stays in the file, quantised weights too, which no shape
// depends on and which would take eight times their size.
func (b *Builder) weight(name string, p *protos.TensorProto) *Value {
	t, err := b.file.Tensor(p)
	fail(err)
	v := &Value{Name: b.unique(name), DType: t.DType, Dims: t.Dims}
	small := t.Len() <= weightLimit && (!b.opt.Trainable || t.Len() <= 1)
	bytes := t.DType == Int8 || t.DType == Uint8
	if t.Len() <= foldLimit && (small || !IsFloat(t.DType) && !bytes) {
		b.spend(t.Len())
		v.Const, err = decode(t)
		fail(err)
		return v
	}
	v.Weight = t
	return v
}

// TensorAttr returns the tensor attribute of n as a value, nil where it is
// absent. It is a constant, unless it is very large.
func (b *Builder) TensorAttr(n *Node, name string) *Value {
	t := n.tensor(b, name)
	if t == nil {
		return nil
	}
	v := &Value{Name: b.unique("~attr"), DType: t.DType, Dims: t.Dims}
	if t.Len() > foldLimit {
		v.Weight = t
		return v
	}
	b.spend(t.Len())
	var err error
	v.Const, err = decode(t)
	fail(err)
	return v
}

// spend counts work, so that a hostile file cannot make us hold or compute
// without end.
func (b *Builder) spend(elements int) {
	if b.work += elements; b.work > maxWork {
		failf("more than %d elements to compute beforehand", maxWork)
	}
}

// Derived returns weight v read in another form: transposed or reshaped while
// it is loaded, it costs nothing at run time. Trainable weights must stay as
// in the file; for those, and for what is no weight, it returns nil.
func (b *Builder) Derived(v *Value, change func(*onnxfile.Tensor) *onnxfile.Tensor) *Value {
	if v.Weight == nil || b.opt.Trainable {
		return nil
	}
	t := change(v.Weight)
	key := derived{t.Source, t.Variant()}
	if b.derived[key] == nil {
		b.derived[key] = &Value{Name: b.unique(v.Name), DType: v.DType, Dims: t.Dims, Weight: t}
	}
	return b.derived[key]
}

// derived identifies a weight that is read in another form.
type derived struct {
	source  *protos.TensorProto
	variant string
}

// LowerConv tells whether convolutions are to become matrix products.
func (b *Builder) LowerConv() bool { return b.opt.LowerConv }

// Trainable tells whether gradients will be wanted.
func (b *Builder) Trainable() bool { return b.opt.Trainable }

// FlatProducts tells whether products with a plain matrix are to be of rank 2.
func (b *Builder) FlatProducts() bool { return b.opt.FlatProducts }

// BiasInProducts tells whether what is added to a product along one of its
// axes is to become part of it.
func (b *Builder) BiasInProducts() bool { return b.opt.BiasInProducts }

// NoSort tells whether the engine cannot sort.
func (b *Builder) NoSort() bool { return b.opt.NoSort }

// QuantisesByRange tells whether the file makes bytes of values by the range that
// they turn out to have.
func (b *Builder) QuantisesByRange() bool {
	return b.file.Any(func(n *protos.NodeProto) bool { return n.OpType == "DynamicQuantizeLinear" })
}

// unique returns name if it is free, else name with a number.
func (b *Builder) unique(name string) string {
	out := name
	for taken := b.taken[out] > 0; taken; taken = b.taken[out] > 0 {
		out = fmt.Sprintf("%s~%d", name, b.taken[name])
		b.taken[name]++
	}
	b.taken[out] = 1
	return out
}

// Known returns the elements of v, or panics with NeedsValue. what names them
// in the message.
func (b *Builder) Known(v *Value, what string) *Const {
	if c := b.known(v); c != nil {
		return c
	}
	panic(failure{&NeedsValue{Value: v, Inputs: inputsOf(v), What: what}})
}

func (b *Builder) known(v *Value) *Const {
	switch {
	case v.Const != nil:
		return v.Const
	case v.Weight != nil && v.Len() <= foldLimit:
		if v.read == nil {
			c, err := decode(v.Weight)
			fail(err)
			v.read = c
		}
		return v.read
	}
	return nil
}

// KnownInts returns the elements of an integer value.
func (b *Builder) KnownInts(v *Value, what string) []int {
	c := b.Known(v, what)
	if c.Ints == nil && v.Len() > 0 {
		failf("%s must be integers, not %v", what, v.DType)
	}
	return toInts(c.Ints)
}

// KnownFloats returns the elements of v as floats.
func (b *Builder) KnownFloats(v *Value, what string) []float64 {
	c := b.Known(v, what)
	if c.Floats == nil {
		return toFloats(c.Ints)
	}
	return c.Floats
}

// Op adds an op with one output; its result may be folded or rewritten.
func (b *Builder) Op(op string, attrs Attrs, in ...*Value) *Value {
	name := "~" + op
	return b.apply(&Node{Op: op, In: in, Attrs: attrs, outs: []string{name}})[0]
}

// Outputs adds an op with several outputs.
func (b *Builder) Outputs(op string, outs int, attrs Attrs, in ...*Value) []*Value {
	names := make([]string, outs)
	for i := range names {
		names[i] = fmt.Sprintf("~%s.%d", op, i)
	}
	return b.apply(&Node{Op: op, In: in, Attrs: attrs, outs: names})
}

// apply folds, rewrites or keeps one node and returns its outputs.
func (b *Builder) apply(n *Node) []*Value {
	if b.calls++; b.calls > maxCalls {
		failf("rules nest deeper than %d", maxCalls)
	}
	defer func() { b.calls-- }()
	if b.steps++; b.steps > maxSteps {
		failf("more than %d steps: the loops are too long to unroll", maxSteps)
	}
	def := ops[n.Op]
	if def == nil && rules[n.Op] == nil {
		failf("op %s is not supported", qualified(n))
	}
	if def != nil && def.eval != nil && b.foldable(n) {
		if out := b.fold(n, def); out != nil {
			return out
		}
	}
	if rule := rules[n.Op]; rule != nil {
		if out := rule(b, n); out != nil {
			return out
		}
		def = ops[n.Op] // the rule may have changed the node
	}
	if def != nil && def.eval != nil && !def.native {
		return b.foldKnown(n, def)
	}
	if def == nil || def.infer == nil || !def.native {
		failf("op %s is not supported in this form", qualified(n))
	}
	n.Out = b.inferred(n, def)
	if slices.ContainsFunc(n.Out, func(v *Value) bool { return v.Len() > 0 }) {
		if len(b.nodes) >= maxNodes {
			failf("more than %d nodes", maxNodes)
		}
		b.nodes = append(b.nodes, n)
	}
	return n.Out
}

func qualified(n *Node) string {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return n.Domain + "." + n.Op
	}
	return n.Op
}

// inferred makes the output values of n. Empty ones are constants.
func (b *Builder) inferred(n *Node, def *opDef) []*Value {
	out := def.infer(b, n)
	for i, v := range out {
		bound(v)
		name := "~" + n.Op
		if i < len(n.outs) && n.outs[i] != "" {
			name = n.outs[i]
		}
		v.Name = b.unique(name)
		if v.Len() == 0 {
			v.Const = emptyConst(v.DType)
		} else {
			v.Node = n
		}
	}
	return out
}

func emptyConst(d DType) *Const {
	if IsFloat(d) {
		return &Const{Floats: []float64{}}
	}
	return &Const{Ints: []int64{}}
}

func (b *Builder) foldable(n *Node) bool {
	for _, v := range n.In {
		if v != nil && v.Const == nil {
			return false
		}
	}
	return true
}

// fold computes n, or returns nil where the result would be too large.
func (b *Builder) fold(n *Node, def *opDef) []*Value {
	out := def.infer(b, n)
	work := 0
	for _, v := range out {
		bound(v)
		if v.Len() > foldLimit {
			return nil
		}
		work += v.Len()
	}
	for _, v := range n.In {
		if v != nil {
			work += v.Len()
		}
	}
	b.spend(work)
	if !def.eval(b, n, out) {
		return nil
	}
	for i, v := range out {
		name := "~const"
		if i < len(n.outs) && n.outs[i] != "" {
			name = n.outs[i]
		}
		v.Name = b.unique(name)
	}
	return out
}

// foldKnown computes an op that only exists beforehand, such as NonZero: its
// inputs must be known.
func (b *Builder) foldKnown(n *Node, def *opDef) []*Value {
	if b.opt.Survey && apart[n.Op] && b.scope.parent == nil && b.calls == 1 {
		b.apart[n.Op]++
		return b.placeholder(n)
	}
	for i, v := range n.In {
		if v != nil && v.Const == nil {
			c := b.Known(v, "the input of "+n.Op)
			n.In[i] = &Value{Name: v.Name, DType: v.DType, Dims: v.Dims, Const: c}
		}
	}
	out := b.fold(n, def)
	if out == nil {
		failf("op %s is not supported in this form", qualified(n))
	}
	return out
}

// Opset is the version of the main operator set that the file declares.
func (b *Builder) Opset() int { return b.opset }

// explain adds the node to an error.
func explain(n *protos.NodeProto, err error) error {
	return fmt.Errorf("node %q (%s): %w", n.Name, n.OpType, err)
}
