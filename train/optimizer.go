package train

import (
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
)

// Optimizer is stochastic gradient descent as PyTorch's SGD: weight decay is
// added to the gradient before momentum, and the rate scales the buffer, not
// what enters it. Its methods build graphs and panic on errors.
type Optimizer struct {
	Momentum    float64
	WeightDecay float64 // not applied to models.HeadBias
	EMA         bool    // keep a moving average of the network
	// Group tells the learning-rate group of a variable.
	Group func(variablePath string) models.Group
}

// Variable scopes of what training adds beside the network.
const (
	optimizerScope = "/opt/"         // saved with the checkpoint
	momentumScope  = "/opt/momentum" //
	averageScope   = "/opt/ema"      // the moving average of the network
	gradientScope  = "/accumulate"   // zero between updates, so never saved
)

// rngPath is the state of the random numbers drawn in graphs (dropout).
const rngPath = "/" + model.RNGStateVariableName

// isModelVariable tells the network's own variables, batch-norm statistics
// included, from what training adds.
func isModelVariable(path string) bool {
	return path != rngPath && !strings.HasPrefix(path, optimizerScope) && !strings.HasPrefix(path, gradientScope+"/")
}

// Variables lists the variables of the graph's store that training updates,
// in the order of their creation.
func (o Optimizer) Variables(store *model.Store, g *Graph) []*model.Variable {
	var vars []*model.Variable
	for v := range store.IterVariables() {
		if isModelVariable(v.Path()) && v.InUseByGraph(g) && v.DType() == dtypes.Float32 && o.Group(v.Path()) != models.Frozen {
			vars = append(vars, v)
		}
	}
	return vars
}

// Update applies one gradient per variable. rates holds scalars: the learning
// rates of the groups Backbone, Head and HeadBias, and with EMA the step of the
// average.
func (o Optimizer) Update(store *model.Store, vars []*model.Variable, grads, rates []*Node) {
	for i, v := range vars {
		group := o.Group(v.Path())
		w := v.NodeValue(grads[i])
		d := grads[i]
		if o.WeightDecay != 0 && group != models.HeadBias {
			d = Add(d, MulScalar(w, o.WeightDecay))
		}
		if o.Momentum != 0 {
			buffer := zeros(store, momentumScope, v)
			d = Add(MulScalar(buffer.NodeValue(d), o.Momentum), d)
			buffer.SetNodeValue(d)
		}
		v.SetNodeValue(Sub(w, Mul(d, rates[group-1])))
	}
	if o.EMA {
		average(store, rates[0].Graph(), rates[numGroups-1])
	}
}

// average moves a shadow of every variable of the network, batch-norm
// statistics included, towards its new value: shadow += step · (value − shadow).
func average(store *model.Store, g *Graph, step *Node) {
	for _, v := range slices.Collect(store.IterVariables()) {
		if !isModelVariable(v.Path()) || v.DType() != dtypes.Float32 {
			continue
		}
		shadow := store.GetVariable(averageScope + v.Path())
		if shadow == nil {
			first, err := v.MustValue().LocalClone()
			if err != nil {
				panic(err)
			}
			shadow = store.VariableWithValue(averageScope+v.Path(), first).SetTrainable(false)
		}
		old := shadow.NodeValue(g)
		shadow.SetNodeValue(Add(old, Mul(Sub(v.NodeValue(g), old), step)))
	}
}

// Accumulate adds gradients to accumulators instead of applying them.
func (o Optimizer) Accumulate(store *model.Store, vars []*model.Variable, grads []*Node) {
	for i, v := range vars {
		sum := zeros(store, gradientScope, v)
		sum.SetNodeValue(Add(sum.NodeValue(grads[i]), grads[i]))
	}
}

// Flush returns the accumulated gradients and clears them.
func (o Optimizer) Flush(store *model.Store, g *Graph, vars []*model.Variable) []*Node {
	grads := make([]*Node, len(vars))
	for i, v := range vars {
		sum := zeros(store, gradientScope, v)
		grads[i] = sum.NodeValue(g)
		sum.SetNodeValue(ZerosLike(grads[i]))
	}
	return grads
}

// zeros is the variable of a scope that shadows v, initially zero. Its first
// value comes from the host: the onnx backend refuses to run variables that
// have none.
func zeros(store *model.Store, scope string, v *model.Variable) *model.Variable {
	path := scope + v.Path()
	if have := store.GetVariable(path); have != nil {
		return have
	}
	return store.VariableWithValue(path, tensors.FromShape(v.Shape())).SetTrainable(false)
}
