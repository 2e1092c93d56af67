package clip

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/onnximport/onnxfile"
)

// depths tells for every weight of a transformer, by the name of its variable,
// how deep it lies: 0 for the patch embedding and positions, 1 … n for the
// blocks, n+1 for what follows.
type depths struct {
	of     map[string]int
	blocks int
}

// readDepths finds the depths of the weights that output depends on. It does
// not look at names, which exporters and optimisers change: a block is what
// adds to the residual stream twice and holds one softmax.
func readDepths(path, output string) (*depths, error) {
	f, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := newWalk(f.Proto.Graph)
	for _, n := range f.Proto.Graph.Node {
		w.node(n)
	}
	end, ok := w.data[output]
	if !ok {
		return nil, fmt.Errorf("%s: the graph computes no %q from the image", path, output)
	}
	if end.softmaxes == 0 || end.adds != 2*end.softmaxes {
		return nil, fmt.Errorf("%s: not a transformer that this can tell the blocks of (%d attentions, %d residual sums): set finetune_clip.layer_decay = 1 and freeze = 0 or -1", path, end.softmaxes, end.adds)
	}
	d := &depths{of: map[string]int{}, blocks: end.softmaxes}
	for name, use := range w.uses {
		switch {
		case w.stem[use.node]:
			d.of[name] = 0
		default:
			d.of[name] = min(use.adds/2, d.blocks) + 1
		}
	}
	return d, nil
}

// at is how much of the network lies before a value.
type at struct{ adds, softmaxes int }

// walk follows the image through a graph.
type walk struct {
	data    map[string]at       // values that depend on the image's pixels
	weights map[string][]string // values that depend on weights alone, and which
	made    map[string]*protos.NodeProto
	uses    map[string]use // weight → where it first meets the image
	stem    map[*protos.NodeProto]bool
}

type use struct {
	node *protos.NodeProto
	adds int
}

func newWalk(g *protos.GraphProto) *walk {
	w := &walk{data: map[string]at{}, weights: map[string][]string{}, made: map[string]*protos.NodeProto{}, uses: map[string]use{}, stem: map[*protos.NodeProto]bool{}}
	for _, t := range g.Initializer {
		w.weights[t.Name] = []string{strings.ReplaceAll(t.Name, model.ScopeSeparator, "|")}
	}
	for _, in := range g.Input {
		if w.weights[in.Name] == nil {
			w.data[in.Name] = at{}
		}
	}
	return w
}

func (w *walk) node(n *protos.NodeProto) {
	var before at
	var from []string // weights that reach the node without the image
	data := 0
	for _, in := range n.Input {
		if a, ok := w.data[in]; ok && n.OpType != "Shape" {
			data++
			before.adds, before.softmaxes = max(before.adds, a.adds), max(before.softmaxes, a.softmaxes)
			continue
		}
		from = append(from, w.weights[in]...)
	}
	if data == 0 {
		for _, out := range n.Output {
			w.weights[out] = from
		}
		return
	}
	for _, name := range from {
		if old, seen := w.uses[name]; !seen || before.adds < old.adds {
			w.uses[name] = use{n, before.adds}
		}
	}
	after := before
	switch {
	case n.OpType == "Softmax":
		after.softmaxes++
	case n.OpType == "Add" && data == 2:
		if before.adds == 0 {
			w.markStem(n)
		}
		after.adds++
	}
	for _, out := range n.Output {
		w.data[out], w.made[out] = after, n
	}
}

// markStem finds what lies before the first block: what made the input of the
// first residual sum that went through no attention.
func (w *walk) markStem(sum *protos.NodeProto) {
	var mark func(name string)
	mark = func(name string) {
		n := w.made[name]
		if n == nil || w.stem[n] {
			return
		}
		w.stem[n] = true
		for _, in := range n.Input {
			mark(in)
		}
	}
	for _, in := range sum.Input {
		if w.data[in].softmaxes == 0 {
			mark(in)
		}
	}
}
