package layers

import (
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
)

// Recompute is body(x) for a part of a network, except that the backward pass
// computes it again from x instead of keeping what is in between (gradient
// checkpointing): memory for x and the result alone, time for one more forward
// pass of the part. Gradients are the same.
//
// body may use variables below the scopes and x, nothing else that has a
// gradient or random numbers. Variables that it makes are not seen: where the
// scopes have none yet, the activations are kept.
func Recompute(scopes []*model.Scope, x *Node, body func(x *Node) *Node) *Node {
	g := x.Graph()
	vars := below(scopes)
	entry := make([]*Node, len(vars))
	for i, v := range vars {
		entry[i] = v.NodeValue(g)
	}
	// The gradients of x and of the variables, in this order; all at once when
	// the first is asked for.
	var dy, seen *Node
	var grads []*Node
	of := make([]int, len(vars)) // index in grads of a variable that has one
	backward := func() []*Node {
		if seen == dy {
			return grads
		}
		seen = dy
		again := barrier(x, dy)
		now := assign(vars, entry)
		y := body(again)
		assign(vars, now)
		targets := []*Node{again}
		for i := range vars {
			if of[i] > 0 {
				targets = append(targets, entry[i])
			}
		}
		grads = Gradient(ReduceAllSum(Mul(y, StopGradient(dy))), targets...)
		return grads
	}
	inside := make([]*Node, len(vars))
	for i := range vars {
		inside[i] = IdentityWithCustomGradient(entry[i], func(node, _ *Node) *Node {
			if of[i] == 0 {
				return ZerosLike(node)
			}
			return backward()[of[i]]
		})
	}
	assign(vars, inside)
	y := body(IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return backward()[0] }))
	n := 1
	for i, v := range vars {
		if v.NodeValue(g) != inside[i] {
			continue // running statistics: body has moved them
		}
		v.SetNodeValue(entry[i])
		if v.Trainable {
			of[i] = n
			n++
		}
	}
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node {
		dy = v
		return v
	})
}

// below lists the variables of the scopes.
func below(scopes []*model.Scope) []*model.Variable {
	var vars []*model.Variable
	for v := range scopes[0].Store().IterVariables() {
		for _, s := range scopes {
			if strings.HasPrefix(v.Path(), s.Scope()+"/") {
				vars = append(vars, v)
				break
			}
		}
	}
	return vars
}

// assign gives the variables other values in the graph and returns the ones
// that they had.
func assign(vars []*model.Variable, values []*Node) []*Node {
	was := make([]*Node, len(vars))
	for i, v := range vars {
		was[i] = v.NodeValue(values[i])
		v.SetNodeValue(values[i])
	}
	return was
}

// barrier is x, but no engine takes it for x, or has it before after. ONNX
// Runtime has no such operation: there, x is chosen by a value of after.
func barrier(x, after *Node) *Node {
	if backend.KindOf(x.Graph().Backend()) != backend.ONNX {
		return OptimizationBarrier(SchedulingBarrier(x, after))
	}
	first := make([]SliceAxisSpec, after.Rank())
	for i := range first {
		first[i] = AxisElem(0)
	}
	never := GreaterThan(Reshape(Slice(after, first...)), Scalar(x.Graph(), after.DType(), math.MaxFloat32))
	return Where(never, ZerosLike(x), x)
}
