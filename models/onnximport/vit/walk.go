// Package vit finds the parts of a vision transformer in an ONNX graph: its
// blocks, their attention, and where the embedding is taken from. It does not
// look at names, which exporters and optimisers change: a block is what adds to
// the residual stream twice and holds one softmax.
package vit

import (
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/ml/model"
)

// At is how much of the network lies before a value: sums of two values that
// depend on the image, which are the residual ones, and softmaxes.
type At struct{ Adds, Softmaxes int }

// Walk is what following the image through a graph tells.
type Walk struct {
	Data    map[string]At                // values that depend on the image's pixels
	Weights map[string][]string          // values that depend on weights alone: the variables' names
	Made    map[string]*protos.NodeProto // what makes each value that depends on the image
	Uses    map[string]Use               // variable → where it first meets the image
	Stem    map[*protos.NodeProto]bool   // what lies before the first block
	Sums    []*protos.NodeProto          // the residual sums, in order
}

// Use is the node where a weight meets the image, and the residual sums before
// that.
type Use struct {
	Node *protos.NodeProto
	Adds int
}

// Follow walks through a graph from its inputs. That a value's shape is used is
// no dependence.
func Follow(g *protos.GraphProto) *Walk {
	w := &Walk{Data: map[string]At{}, Weights: map[string][]string{}, Made: map[string]*protos.NodeProto{}, Uses: map[string]Use{}, Stem: map[*protos.NodeProto]bool{}}
	for _, t := range g.Initializer {
		w.Weights[t.Name] = []string{strings.ReplaceAll(t.Name, model.ScopeSeparator, "|")}
	}
	for _, in := range g.Input {
		if w.Weights[in.Name] == nil {
			w.Data[in.Name] = At{}
		}
	}
	for _, n := range g.Node {
		w.node(n)
	}
	return w
}

func (w *Walk) node(n *protos.NodeProto) {
	var before At
	var from []string // weights that reach the node without the image
	data := 0
	for _, in := range n.Input {
		if a, ok := w.Data[in]; ok && n.OpType != "Shape" {
			data++
			before.Adds, before.Softmaxes = max(before.Adds, a.Adds), max(before.Softmaxes, a.Softmaxes)
			continue
		}
		from = append(from, w.Weights[in]...)
	}
	if data == 0 {
		for _, out := range n.Output {
			w.Weights[out] = from
		}
		return
	}
	for _, name := range from {
		if old, seen := w.Uses[name]; !seen || before.Adds < old.Adds {
			w.Uses[name] = Use{n, before.Adds}
		}
	}
	after := before
	switch {
	case n.OpType == "Softmax":
		after.Softmaxes++
	case n.OpType == "Add" && data == 2:
		if before.Adds == 0 {
			w.markStem(n)
		}
		after.Adds++
		w.Sums = append(w.Sums, n)
	}
	for _, out := range n.Output {
		w.Data[out], w.Made[out] = after, n
	}
}

// markStem finds what lies before the first block: what made the input of the
// first residual sum that went through no attention.
func (w *Walk) markStem(sum *protos.NodeProto) {
	var mark func(name string)
	mark = func(name string) {
		n := w.Made[name]
		if n == nil || w.Stem[n] {
			return
		}
		w.Stem[n] = true
		for _, in := range n.Input {
			mark(in)
		}
	}
	for _, in := range sum.Input {
		if w.Data[in].Softmaxes == 0 {
			mark(in)
		}
	}
}

// Blocks is the number of blocks before an output, 0 where they cannot be told.
func (w *Walk) Blocks(output string) int {
	end := w.Data[output]
	if end.Adds != 2*end.Softmaxes {
		return 0
	}
	return end.Softmaxes
}

// Stream lists the values of the residual stream before an output: what enters
// the first block, and what every block makes of it. Nil where the blocks
// cannot be told or are not one after the other.
func (w *Walk) Stream(output string) []string {
	blocks := w.Blocks(output)
	if blocks == 0 || len(w.Sums) < 2*blocks {
		return nil
	}
	var list []string
	for _, in := range w.Sums[0].Input {
		if w.Data[in].Softmaxes == 0 {
			list = append(list, in)
		}
	}
	for i, sum := range w.Sums[:2*blocks] {
		if w.Data[sum.Output[0]].Adds != i+1 {
			return nil
		}
		if i%2 == 1 {
			list = append(list, sum.Output[0])
		}
	}
	if len(list) != blocks+1 {
		return nil
	}
	return list
}
