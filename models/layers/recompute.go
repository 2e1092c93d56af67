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
	trained := make([]bool, len(vars))
	first := true
	return recompute(x, entry, trained, func(x *Node, weights []*Node) *Node {
		was := assign(vars, weights)
		y := body(x)
		if !first {
			assign(vars, was)
			return y
		}
		first = false
		for i, v := range vars {
			if v.NodeValue(g) != weights[i] {
				continue // running statistics: body has moved them
			}
			v.SetNodeValue(entry[i])
			trained[i] = v.Trainable
		}
		return y
	})
}

// RecomputeOf is Recompute for a body whose weights are nodes; all of them have
// gradients.
func RecomputeOf(x *Node, weights []*Node, body func(x *Node, weights []*Node) *Node) *Node {
	trained := make([]bool, len(weights))
	for i := range trained {
		trained[i] = true
	}
	return recompute(x, weights, trained, body)
}

// recompute calls body once for the forward pass and once for the backward
// pass, which is the first to look at which weights are trained.
func recompute(x *Node, weights []*Node, trained []bool, body func(x *Node, weights []*Node) *Node) *Node {
	forward := func(in []*Node) *Node { return body(in[0], in[1:]) }
	return WithGradient(append([]*Node{x}, weights...), forward, func(_, dy *Node) []*Node {
		again := Again(x, dy)
		y := body(again, weights)
		targets := []*Node{again}
		for i, w := range weights {
			if trained[i] {
				targets = append(targets, w)
			}
		}
		all := Gradient(ReduceAllSum(Mul(y, StopGradient(dy))), targets...)
		grads := []*Node{all[0]}
		for i, w := range weights {
			if trained[i] {
				grads, all = append(grads, all[1]), all[1:]
			} else {
				grads = append(grads, ZerosLike(w))
			}
		}
		return grads
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

// Again is x for the backward pass to compute once more what the forward pass did:
// no engine takes it for x, or has it before after. ONNX
// Runtime has no such operation: there, x is chosen by a value of after.
func Again(x, after *Node) *Node {
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
