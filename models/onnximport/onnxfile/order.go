package onnxfile

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// maxGraphs bounds sub-graphs within sub-graphs.
const maxGraphs = 32

// Makers has the node that makes each value of a graph. Inputs and weights have none.
func Makers(g *protos.GraphProto) map[string]*protos.NodeProto {
	makers := map[string]*protos.NodeProto{}
	for _, n := range g.Node {
		for _, out := range n.Output {
			makers[out] = n
		}
	}
	return makers
}

// moves are operators that leave values as they are, but for their place, type
// or resolution.
var moves = []string{"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Resize", "Upsample", "Slice"}

// End is the node whose values an output holds: moves are left out, and other
// operators that are named. It is nil where no node makes them.
func End(makers map[string]*protos.NodeProto, output string, others ...string) *protos.NodeProto {
	for range len(makers) { // each is met once: nodes are in order
		n := makers[output]
		if n == nil || len(n.Input) == 0 || !slices.Contains(moves, n.OpType) && !slices.Contains(others, n.OpType) {
			return n
		}
		output = n.Input[0]
	}
	return nil
}

// order sorts the nodes of a graph and of its sub-graphs so that each comes
// after those whose outputs it uses, as ONNX Runtime does; the standard asks
// for it, but some tools (float16 converters, graph editors) append nodes at
// the end. A graph in order stays as it is; otherwise a node moves only as far
// up as its users need. The error names a node that waits for itself.
func order(g *protos.GraphProto, depth int) error {
	if depth > maxGraphs {
		return fmt.Errorf("graphs within graphs more than %d deep", maxGraphs)
	}
	for _, n := range g.Node {
		for _, sub := range graphsOf(n) {
			if err := order(sub, depth+1); err != nil {
				return err
			}
		}
	}
	needs, sorted := dependencies(g)
	if sorted {
		return nil
	}
	return sortNodes(g, needs)
}

// graphsOf lists the sub-graphs of a node: branches and bodies.
func graphsOf(n *protos.NodeProto) []*protos.GraphProto {
	var list []*protos.GraphProto
	for _, a := range n.Attribute {
		if a.G != nil {
			list = append(list, a.G)
		}
		list = append(list, a.Graphs...)
	}
	return list
}

// Any tells whether some node is so, those of sub-graphs and functions included.
func (f *File) Any(is func(n *protos.NodeProto) bool) bool {
	return anyOf(f.Proto.Graph.Node, is) || slices.ContainsFunc(f.Proto.Functions, func(g *protos.FunctionProto) bool { return anyOf(g.Node, is) })
}

func anyOf(nodes []*protos.NodeProto, is func(n *protos.NodeProto) bool) bool {
	return slices.ContainsFunc(nodes, func(n *protos.NodeProto) bool {
		return is(n) || slices.ContainsFunc(graphsOf(n), func(g *protos.GraphProto) bool { return anyOf(g.Node, is) })
	})
}

// dependencies lists for every node the nodes of the same graph that make what
// it, or a sub-graph of it, reads; and whether all of them come before it.
func dependencies(g *protos.GraphProto) (needs [][]int, sorted bool) {
	maker := map[string]int{}
	for i, n := range g.Node {
		for _, o := range n.Output {
			if _, twice := maker[o]; o != "" && !twice {
				maker[o] = i
			}
		}
	}
	needs, sorted = make([][]int, len(g.Node)), true
	for i, n := range g.Node {
		eachUse(n, 0, func(name string) {
			if j, ok := maker[name]; ok {
				needs[i] = append(needs[i], j)
				sorted = sorted && j < i
			}
		})
	}
	return needs, sorted
}

// eachUse calls f for every name that a node or its sub-graphs read. Names
// that a sub-graph makes itself shadow outer ones.
func eachUse(n *protos.NodeProto, depth int, f func(string)) {
	for _, name := range n.Input {
		if name != "" {
			f(name)
		}
	}
	if depth >= maxGraphs {
		return
	}
	for _, sub := range graphsOf(n) {
		own := map[string]bool{}
		for _, in := range sub.Input {
			own[in.Name] = true
		}
		for _, t := range sub.Initializer {
			own[t.Name] = true
		}
		for _, m := range sub.Node {
			for _, o := range m.Output {
				own[o] = true
			}
		}
		outer := func(name string) {
			if !own[name] {
				f(name)
			}
		}
		for _, m := range sub.Node {
			eachUse(m, depth+1, outer)
		}
		for _, o := range sub.Output {
			outer(o.Name)
		}
	}
}

// sortNodes puts what a node needs before it, in the file's order otherwise.
func sortNodes(g *protos.GraphProto, needs [][]int) error {
	const waiting, done = 1, 2
	state := make([]uint8, len(g.Node))
	nodes := make([]*protos.NodeProto, 0, len(g.Node))
	for first := range g.Node {
		stack := []int{first}
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			if state[i] == done {
				stack = stack[:len(stack)-1]
				continue
			}
			state[i] = waiting
			open := 0
			for _, j := range slices.Backward(needs[i]) {
				switch state[j] {
				case waiting:
					return fmt.Errorf("node %q (%s) needs its own output %q", g.Node[i].Name, g.Node[i].OpType, g.Node[j].Output[0])
				case done:
				default:
					stack = append(stack, j)
					open++
				}
			}
			if open == 0 {
				state[i] = done
				nodes = append(nodes, g.Node[i])
				stack = stack[:len(stack)-1]
			}
		}
	}
	g.Node = nodes
	return nil
}
