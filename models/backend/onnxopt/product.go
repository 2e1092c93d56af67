// Package onnxopt improves the ONNX graphs that GoMLX hands to ONNX Runtime:
// it writes what ONNX Runtime computes slowly in the form that it is fast at.
package onnxopt

import (
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
)

// Rewrite changes g in place. What it computes stays the same but for rounding.
func Rewrite(g *protos.GraphProto) {
	nodes := make([]*protos.NodeProto, 0, len(g.Node))
	for _, n := range g.Node {
		switch {
		case n.OpType == "Einsum" && len(n.Input) == 2:
			nodes = append(nodes, product(n)...)
		case n.OpType == "ScatterND" && !slices.Contains([]string{"", "none"}, text(n, "reduction")):
			nodes = append(nodes, scatter(n)...)
		default:
			nodes = append(nodes, n)
		}
	}
	g.Node = nodes
	if !nested(g) {
		k := knownOf(g)
		numbers(g, k)
		gathers(g, k)
		sweep(g)
	}
	g.Node = sortLeaves(g.Node)
}

// nested tells whether there are graphs within the graph, which may use any of its
// values.
func nested(g *protos.GraphProto) bool {
	return slices.ContainsFunc(g.Node, func(n *protos.NodeProto) bool {
		return slices.ContainsFunc(n.Attribute, func(a *protos.AttributeProto) bool { return a.G != nil || a.Graphs != nil })
	})
}

// product writes an Einsum that is a product of (batches of) matrices as MatMul.
// ONNX Runtime's Einsum copies its operands into another order first; MatMul
// reads them where they lie, also transposed, and takes scaling along.
func product(einsum *protos.NodeProto) []*protos.NodeProto {
	f, ok := formOf(text(einsum, "equation"))
	if !ok {
		return []*protos.NodeProto{einsum}
	}
	out := einsum.Output[0]
	var nodes []*protos.NodeProto
	transpose := func(from, to string, perm []int64) string {
		if slices.IsSorted(perm) {
			return from
		}
		nodes = append(nodes, &protos.NodeProto{OpType: "Transpose", Input: []string{from}, Output: []string{to},
			Attribute: []*protos.AttributeProto{{Name: "perm", Type: protos.AttributeProto_INTS, Ints: perm}}})
		return to
	}
	left := transpose(einsum.Input[0], out+"_left", f.left)
	right := transpose(einsum.Input[1], out+"_right", f.right)
	matmul := &protos.NodeProto{OpType: "MatMul", Input: []string{left, right}, Output: []string{out}}
	nodes = append(nodes, matmul)
	if !slices.IsSorted(f.out) {
		matmul.Output[0] = out + "_product"
		transpose(out+"_product", out, f.out)
	}
	return nodes
}

// text is an attribute of a node, "" where it has none.
func text(n *protos.NodeProto, attribute string) string {
	for _, a := range n.Attribute {
		if a.Name == attribute {
			return string(a.S)
		}
	}
	return ""
}

// form is a product as MatMul has it: how the operands are transposed before,
// and the result after.
type form struct{ left, right, out []int64 }

// formOf finds the form of an equation such as "abc,abd->acd", where one axis is
// summed over. It fails on those that MatMul does not have.
func formOf(equation string) (form, bool) {
	in, out, _ := strings.Cut(equation, "->")
	x, y, _ := strings.Cut(in, ",")
	var batch, rows, columns string
	for _, l := range out {
		switch inX, inY := strings.ContainsRune(x, l), strings.ContainsRune(y, l); {
		case inX && inY:
			batch += string(l)
		case inX:
			rows += string(l)
		default:
			columns += string(l)
		}
	}
	sum := strings.Map(func(l rune) rune {
		if strings.ContainsRune(out, l) {
			return -1
		}
		return l
	}, x)
	plain := len(sum) == 1 && strings.ContainsAny(y, sum) && len(x) == len(batch+rows)+1 && len(y) == len(batch+columns)+1
	switch r, c := len(rows), len(columns); {
	case !plain || r == 0 || c == 0:
		return form{}, false
	case c == 1 && (r == 1 || batch == ""): // the right matrix may meet a batch of left ones
		return form{order(x, batch+rows+sum), order(y, batch+sum+columns), order(batch+rows+columns, out)}, true
	case r == 1 && batch == "": // and the left one a batch of right ones
		many, last := columns[:c-1], columns[c-1:]
		return form{order(x, rows+sum), order(y, many+sum+last), order(many+rows+last, out)}, true
	}
	return form{}, false
}

// order is the permutation that brings the axes named by have into those of want.
func order(have, want string) []int64 {
	perm := make([]int64, len(want))
	for i, l := range want {
		perm[i] = int64(strings.IndexRune(have, l))
	}
	return perm
}
