package gohook

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/internal/gobackend"
)

// Reshapes and identities of values that are needed again are copies in GoMLX,
// and as equal expressions are one node, a training step would keep a second
// copy of most activations and weights from the forward to the backward pass.
// Here identities go, and such reshapes share the memory of what they reshape.
func init() {
	gobackend.RegisterTransformation(-1, sharing{}) // after GoMLX's own
	replace(compute.OpTypeReshape, share)
	replace(compute.OpTypeSchedulingBarrier, share)
}

// sharing is the transformation of graphs.
type sharing struct{}

func (sharing) Name() string { return "sharing" }

// Apply marks the reshapes whose result can be another view of their operand's
// memory. GoMLX frees a value, or lets an operation overwrite it, at its last
// use, so every user of a view becomes a user of the operand as well (as what
// the operation captures, which counts for lifetimes alone), and the view gets
// one user more than there is, so that nobody overwrites it.
func (sharing) Apply(b *gobackend.Builder) (dagModified bool, err error) {
	f := b.MainFn
	if len(b.Functions) > 1 {
		return false, nil // closures capture values for themselves
	}
	bypass(f)
	users := usersOf(f)
	isOutput := map[*gobackend.Node]bool{}
	last := f.Outputs[0]
	for _, out := range f.Outputs {
		isOutput[out] = true
		if out.Index > last.Index {
			last = out
		}
	}
	end := map[*gobackend.Node]int{} // operand → last use by way of its views
	for _, node := range f.Nodes {
		if !isView(node) || len(users[node]) == 0 || isOutput[node] || node.Shape.IsDynamic() || node.Data != nil {
			continue
		}
		operand := node.Inputs[0]
		until := end[operand]
		for _, user := range users[operand] {
			until = max(until, user.Index)
		}
		owned := operand.OpType != compute.OpTypeParameter && operand.OpType != compute.OpTypeConstant
		if owned && until <= node.Index {
			continue // it takes the operand's memory over
		}
		node.Data = shared{}
		for _, user := range users[node] {
			user.CapturedInputs = append(user.CapturedInputs, []*gobackend.Node{operand})
			users[operand] = append(users[operand], user)
			end[operand] = max(end[operand], user.Index)
		}
		last.CapturedInputs = append(last.CapturedInputs, []*gobackend.Node{node})
	}
	return false, nil
}

// shared marks a node that is a view of its operand.
type shared struct{}

func isView(n *gobackend.Node) bool {
	return n.OpType == compute.OpTypeReshape || n.OpType == compute.OpTypeSchedulingBarrier
}

// bypass has every operation take the operands of identities, and reshapes
// those of reshapes.
func bypass(f *gobackend.Function) {
	for _, node := range f.Nodes {
		for i, in := range node.Inputs {
			for in.OpType == compute.OpTypeIdentity || in.OpType == compute.OpTypeOptimizationBarrier ||
				in.OpType == compute.OpTypeReshape && node.OpType == compute.OpTypeReshape {
				in = in.Inputs[0]
			}
			// A reshape to what was there before.
			if in.OpType == compute.OpTypeReshape && in.Inputs[0].Shape.Equal(in.Shape) {
				in = in.Inputs[0]
			}
			node.Inputs[i] = in
		}
	}
}

// usersOf lists the users of each node among those that an output depends on.
func usersOf(f *gobackend.Function) map[*gobackend.Node][]*gobackend.Node {
	users := map[*gobackend.Node][]*gobackend.Node{}
	seen := map[*gobackend.Node]bool{}
	var visit func(n *gobackend.Node)
	visit = func(n *gobackend.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Inputs {
			users[in] = append(users[in], n)
			visit(in)
		}
	}
	for _, out := range f.Outputs {
		visit(out)
	}
	return users
}

// share returns a buffer without memory of its own, which the pool ignores.
func share(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
	if _, ok := node.Data.(shared); !ok || owned[0] {
		return nil, nil
	}
	return &gobackend.Buffer{RawBackend: b, RawShape: node.Shape, InUse: true, Flat: inputs[0].Flat}, nil
}
