// Package optim is how weights learn: PyTorch's SGD and AdamW, a registry for
// others, and the poly schedule.
package optim

import (
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/models"
)

// Optimizer updates a network by one of the registered rules. Its methods build
// graphs and panic on errors.
type Optimizer struct {
	Name        string  // of the rule: "sgd", "adamw", …
	Momentum    float64 // of SGD
	WeightDecay float64 // not applied to models.GroupHeadBias
	EMA         bool    // keep a moving average of the network
	ClipNorm    float64 // bound of the norm of all gradients together; 0 = none
	Kernels     bool    // WeightDecay shrinks weights of more than one axis alone
	// Embedding tells tables of embeddings, which are no kernels, by their names; nil
	// = no variable is one.
	Embedding func(variablePath string) bool
	// Mult is a factor of a variable's learning rate; nil = 1.
	Mult func(variablePath string) float64
	// Group tells the learning-rate group of a variable.
	Group func(variablePath string) models.Group
}

// Variable scopes of what training adds beside the network.
const (
	Scope         = "/opt/"                         // saved with the checkpoint
	AverageScope  = "/opt/ema"                      // the moving average of the network
	gradientScope = "/" + checkpoints.GradientScope // zero between updates, so never saved
)

// RNGPath is the state of the random numbers drawn in graphs (dropout).
const RNGPath = "/" + model.RNGStateVariableName

// SeedRNG sets that state, as a variable that further devices can have.
func SeedRNG(store *model.Store, seed int64) error {
	state, err := RNGStateFromSeed(seed)
	if err != nil {
		return err
	}
	if v := store.GetVariable(RNGPath); v != nil {
		return v.SetValue(state)
	}
	v, err := store.CreateVariable(RNGPath, state)
	if err == nil {
		v.SetTrainable(false)
	}
	return err
}

// IsNetwork tells the network's own variables, batch-norm statistics
// included, from what training adds.
func IsNetwork(path string) bool {
	return path != RNGPath && !strings.HasPrefix(path, Scope) && !strings.HasPrefix(path, gradientScope+"/")
}

// Variables lists the variables of the graph's store that training updates,
// in the order of their creation.
func (o Optimizer) Variables(store *model.Store, g *Graph) []*model.Variable {
	var vars []*model.Variable
	for v := range store.IterVariables() {
		if IsNetwork(v.Path()) && v.InUseByGraph(g) && v.DType() == dtypes.Float32 && o.Group(v.Path()) != models.GroupFrozen {
			vars = append(vars, v)
		}
	}
	return vars
}

// Update applies one gradient per variable. in holds scalars: the learning
// rates of the groups Backbone, Head and HeadBias, the number of this update
// counted from 1, and the step of the moving average.
func (o Optimizer) Update(store *model.Store, vars []*model.Variable, grads, in []*Node) {
	rule, err := Find("optimizer.name", o.Name)
	if err != nil {
		panic(err)
	}
	for i, v := range vars {
		group := o.Group(v.Path())
		decay := o.WeightDecay
		if group == models.GroupHeadBias || o.Kernels && !o.isKernel(v) {
			decay = 0
		}
		rate := in[group-1]
		if o.Mult != nil {
			rate = MulScalar(rate, o.Mult(v.Path()))
		}
		v.SetNodeValue(rule(Step{Store: store, Var: v, Weight: v.NodeValue(grads[i]), Grad: grads[i],
			Rate: rate, Number: in[InNumber], Decay: decay, Momentum: o.Momentum}))
	}
	if o.EMA {
		average(store, in[0].Graph(), in[inAverage])
	}
}

// average moves a shadow of every variable of the network, batch-norm
// statistics included, towards its new value: shadow += step · (value − shadow).
func average(store *model.Store, g *Graph, step *Node) {
	for _, v := range slices.Collect(store.IterVariables()) {
		if !IsNetwork(v.Path()) || v.DType() != dtypes.Float32 {
			continue
		}
		shadow := store.GetVariable(AverageScope + v.Path())
		if shadow == nil {
			first, err := v.MustValue().LocalClone()
			if err != nil {
				panic(err)
			}
			shadow = store.VariableWithValue(AverageScope+v.Path(), first).SetTrainable(false)
		}
		old := shadow.NodeValue(g)
		shadow.SetNodeValue(Add(old, Mul(Sub(v.NodeValue(g), old), step)))
	}
}

// Accumulate adds gradients to accumulators instead of applying them.
func (o Optimizer) Accumulate(store *model.Store, vars []*model.Variable, grads []*Node) {
	for i, v := range vars {
		sum := Shadow(store, gradientScope, v)
		sum.SetNodeValue(Add(sum.NodeValue(grads[i]), grads[i]))
	}
}

// Flush returns the accumulated gradients and clears them.
func (o Optimizer) Flush(store *model.Store, g *Graph, vars []*model.Variable) []*Node {
	grads := make([]*Node, len(vars))
	for i, v := range vars {
		sum := Shadow(store, gradientScope, v)
		grads[i] = sum.NodeValue(g)
		sum.SetNodeValue(ZerosLike(grads[i]))
	}
	return grads
}

// Shadow is the variable of a scope that shadows v, initially zero. Its first
// value comes from the host: the onnx backend refuses to run variables that
// have none.
func Shadow(store *model.Store, scope string, v *model.Variable) *model.Variable {
	path := scope + v.Path()
	if have := store.GetVariable(path); have != nil {
		return have
	}
	return store.VariableWithValue(path, tensors.FromShape(v.Shape())).SetTrainable(false)
}
