package legalise

import (
	"github.com/gomlx/compute-onnx/support/protos"
)

// maxTrips bounds how far a loop is unrolled.
const maxTrips = 4096

func init() {
	Register("If", ifRule)
	Register("Loop", loopRule)
}

// body runs a sub-graph inline with the given values of its inputs.
func (b *Builder) body(n *Node, g *protos.GraphProto, in []*Value) []*Value {
	outer := b.scope
	defer func() { b.scope = outer }()
	b.scope = newScope(n.scope, g)
	for i, p := range g.Input {
		if i < len(in) {
			b.scope.values[p.Name] = in[i]
		}
	}
	var wanted []string
	for _, o := range g.Output {
		wanted = append(wanted, o.Name)
	}
	nodes, _ := reachable(g, wanted, nil)
	calls := b.calls
	for _, p := range nodes {
		if err := b.node(p); err != nil {
			fail(explain(p, err))
		}
	}
	b.calls = calls
	out := make([]*Value, len(wanted))
	for i, name := range wanted {
		out[i] = b.result(i, name)
	}
	return out
}

func (n *Node) graph(name string) *protos.GraphProto {
	g, ok := n.Attrs[name].(*protos.GraphProto)
	if !ok {
		failf("sub-graph %q is missing", name)
	}
	return g
}

// ifRule inlines the branch that a known condition takes. Where the condition
// depends on the data, both branches are computed and one is selected, which
// needs equal shapes.
func ifRule(b *Builder, n *Node) []*Value {
	cond := n.In[0]
	if c := b.known(cond); c != nil && len(c.Ints) == 1 {
		branch := "else_branch"
		if c.Ints[0] != 0 {
			branch = "then_branch"
		}
		return b.body(n, n.graph(branch), nil)
	}
	then, other := b.body(n, n.graph("then_branch"), nil), b.body(n, n.graph("else_branch"), nil)
	if len(then) != len(other) {
		failf("branches of %d and %d outputs", len(then), len(other))
	}
	for i := range then {
		if then[i].DType != other[i].DType || !then[i].Is(other[i].Dims) {
			b.Known(cond, "the condition, since the branches differ in shape,")
		}
		then[i] = b.Op("Where", nil, b.Reshape(cond), then[i], other[i])
	}
	return then
}

// loopRule unrolls a loop whose trip count is known.
func loopRule(b *Builder, n *Node) []*Value {
	g := n.graph("body")
	trips := maxTrips + 1
	if m := n.Arg(0); m != nil {
		trips = b.KnownInts(m, "the trip count")[0]
	}
	carried := append([]*Value(nil), n.In[min(2, len(n.In)):]...)
	cond := n.Arg(1)
	holds := func() bool { return cond == nil || b.Known(cond, "the loop condition").Ints[0] != 0 }
	if len(g.Output) < 1+len(carried) {
		failf("the body has %d outputs for %d loop values", len(g.Output), len(carried))
	}
	scans := make([][]*Value, len(g.Output)-1-len(carried))
	for i := 0; i < trips && holds(); i++ {
		if i >= maxTrips {
			failf("more than %d trips", maxTrips)
		}
		now := cond
		if now == nil {
			now = b.ConstInts(Bool, nil, 1)
		}
		out := b.body(n, g, append([]*Value{b.ConstInts(Int64, nil, i), now}, carried...))
		if cond = out[0]; n.Arg(1) == nil && b.known(cond) == nil {
			cond = nil
		}
		copy(carried, out[1:])
		for k, v := range out[1+len(carried):] {
			scans[k] = append(scans[k], b.Op("Unsqueeze", nil, v, b.List(0)))
		}
	}
	for _, s := range scans {
		if len(s) == 0 {
			failf("a loop of no trips with scan outputs")
		}
		carried = append(carried, b.Op("Concat", Attrs{"axis": int64(0)}, s...))
	}
	return carried
}
