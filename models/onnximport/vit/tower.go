package vit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// Tower names the values of a vision transformer that class activation maps
// are made of (docs/sources.md §6.1, §6.2). Tokens are the class token and then the
// patches, row by row.
type Tower struct {
	Input     string   // image [batch, 3, height, width]
	Patch     int      // pixels a side of a patch
	Positions string   // what is added to the tokens, of weights alone: [.., tokens, width]
	Stream    string   // the tokens that enter the last block
	Norm      string   // … after its first layer norm: what its attention reads
	Attention []string // per block: softmax [.., tokens, tokens], queries first
	Tokens    string   // what the last block gives: the class token and the patches
	Embedding string   // what the network makes of the class token: the output, before any normalisation

	sum, pool string // where the positions are added, and where the class token is taken
}

// Find finds the tower before an output of a graph. It is an error when the
// graph is no vision transformer with a class token and at least two blocks.
func Find(g *protos.GraphProto, output string) (*Tower, error) {
	if err := ordered(g); err != nil {
		return nil, err
	}
	f := finder{Walk: Follow(g), users: map[string][]*protos.NodeProto{}}
	blocks := f.Blocks(output)
	if blocks < 2 {
		return nil, fmt.Errorf("%q is not the output of a transformer whose blocks can be told (%d attentions, %d residual sums)", output, f.Data[output].Softmaxes, f.Data[output].Adds)
	}
	f.reach(output)
	t := &Tower{Embedding: f.embedding(output), Attention: make([]string, blocks)}
	for _, n := range f.nodes(g) {
		out := n.Output[0]
		switch at := f.Data[out]; {
		case n.OpType == "Softmax" && at.Softmaxes <= blocks:
			t.Attention[at.Softmaxes-1] = out
		case n.OpType == "Add" && at.Adds == 2*(blocks-1) && f.inputs(n) == 2:
			t.Stream = out
		case n.OpType == "Gather" && at.Adds == 2*blocks && f.Data[n.Input[0]] == at && axis(n) == 1 && t.pool == "":
			t.pool, t.Tokens = out, n.Input[0]
		case n.OpType == "Concat" && at.Adds == 0 && t.Positions == "":
			if err := f.stem(t, n); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case slices.Contains(t.Attention, "") || t.Stream == "":
		return nil, errors.New("the blocks of the transformer are not one after the other")
	case t.pool == "":
		return nil, fmt.Errorf("%q is not made of one token: a transformer with a class token is wanted", output)
	case t.Positions == "":
		return nil, errors.New("no class token and position embedding found before the first block")
	}
	t.Norm = f.norm(t.Attention[blocks-1])
	if t.Norm == "" || f.Data[t.Norm].Adds != 2*(blocks-1) {
		return nil, errors.New("no layer norm found before the last attention")
	}
	return t, nil
}

// ordered checks that every value is made once and before it is used, as ONNX
// demands: what follows goes back through the graph.
func ordered(g *protos.GraphProto) error {
	made := map[string]bool{"": true}
	for _, t := range g.Initializer {
		made[t.Name] = true
	}
	for _, t := range g.SparseInitializer {
		made[t.GetValues().GetName()] = true
	}
	for _, in := range g.Input {
		made[in.Name] = true
	}
	for _, n := range g.Node {
		for _, in := range n.Input {
			if !made[in] {
				return fmt.Errorf("the graph uses %q before it is made", in)
			}
		}
		if len(n.Output) == 0 {
			return fmt.Errorf("a %s of the graph has no output", n.OpType)
		}
		for _, out := range n.Output {
			if made[out] && out != "" {
				return fmt.Errorf("the graph makes %q twice", out)
			}
			made[out] = true
		}
	}
	return nil
}

// finder is a walk with what an output depends on.
type finder struct {
	*Walk
	reached map[string]bool
	users   map[string][]*protos.NodeProto
}

// reach marks the values that an output depends on, and who uses them.
func (f *finder) reach(output string) {
	f.reached = map[string]bool{}
	stack := []string{output}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := f.Made[name]
		if f.reached[name] || n == nil {
			continue
		}
		f.reached[name] = true
		for _, in := range n.Input {
			f.users[in] = append(f.users[in], n)
			stack = append(stack, in)
		}
	}
}

// nodes are those of the graph that depend on the image and are reached.
func (f *finder) nodes(g *protos.GraphProto) []*protos.NodeProto {
	var list []*protos.NodeProto
	for _, n := range g.Node {
		if f.reached[n.Output[0]] && f.Made[n.Output[0]] == n {
			list = append(list, n)
		}
	}
	return list
}

// inputs counts the inputs of a node that depend on the image.
func (f *finder) inputs(n *protos.NodeProto) int {
	count := 0
	for _, in := range n.Input {
		if _, ok := f.Data[in]; ok {
			count++
		}
	}
	return count
}

// embedding goes back from an output over the division by its length, which
// full exports end with.
func (f *finder) embedding(output string) string {
	for {
		n := f.Made[output]
		if n == nil {
			return output
		}
		div := n.OpType == "Div" && f.inputs(n) == 2
		if !div && n.OpType != "LpNormalization" && n.OpType != "Identity" && n.OpType != "Cast" {
			return output
		}
		output = n.Input[0]
	}
}

// stem reads what lies around the concatenation of class token and patches.
func (f *finder) stem(t *Tower, concat *protos.NodeProto) error {
	for _, sum := range f.users[concat.Output[0]] {
		if sum.OpType == "Add" && len(sum.Input) == 2 && f.inputs(sum) == 1 {
			t.sum = sum.Output[0]
			t.Positions = sum.Input[0]
			if sum.Input[0] == concat.Output[0] {
				t.Positions = sum.Input[1]
			}
		}
	}
	for _, in := range concat.Input {
		for {
			n := f.Made[in]
			if n == nil {
				break
			}
			if n.OpType == "Conv" {
				t.Input = n.Input[0]
				for f.Made[t.Input] != nil { // a cast
					t.Input = f.Made[t.Input].Input[0]
				}
				return t.patches(n)
			}
			in = n.Input[0]
		}
	}
	return errors.New("no convolution that makes patches found before the first block")
}

func (t *Tower) patches(conv *protos.NodeProto) error {
	stride := ints(conv, "strides")
	if len(stride) != 2 || stride[0] != stride[1] || stride[0] < 1 || stride[0] > 1<<10 || slices.ContainsFunc(ints(conv, "pads"), func(p int64) bool { return p != 0 }) {
		return fmt.Errorf("the convolution of the patches has strides %v and pads %v: squares without padding are wanted", stride, ints(conv, "pads"))
	}
	t.Patch = int(stride[0])
	return nil
}

// norm goes back from an attention to what its queries and keys are products
// of: every way back must end there.
func (f *finder) norm(attention string) string {
	found := ""
	stack := []string{attention}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := f.Made[name]
		if n == nil {
			return ""
		}
		if (n.OpType == "MatMul" || n.OpType == "Gemm") && f.inputs(n) == 1 {
			in := f.bare(n.Input[slices.IndexFunc(n.Input, func(i string) bool { _, ok := f.Data[i]; return ok })])
			if found != "" && found != in {
				return ""
			}
			found = in
			continue
		}
		for _, in := range n.Input {
			if _, ok := f.Data[in]; ok {
				stack = append(stack, in)
			}
		}
	}
	return found
}

// bare goes back over what only changes the shape or the type.
func (f *finder) bare(name string) string {
	for {
		switch n := f.Made[name]; {
		case n == nil:
			return name
		case slices.Contains([]string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast"}, n.OpType):
			name = n.Input[0]
		default:
			return name
		}
	}
}

func axis(n *protos.NodeProto) int64 {
	for _, a := range n.Attribute {
		if a.Name == "axis" {
			return a.I
		}
	}
	return 0
}

func ints(n *protos.NodeProto, name string) []int64 {
	for _, a := range n.Attribute {
		if a.Name == name {
			return a.Ints
		}
	}
	return nil
}
