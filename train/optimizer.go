package train

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

// Optimizer is PyTorch's SGD or AdamW. SGD adds weight decay to the gradient
// before momentum, and the rate scales the buffer, not what enters it; AdamW
// (β 0.9 and 0.999, ε 1e-8) shrinks the weights apart from the gradient. Its
// methods build graphs and panic on errors.
type Optimizer struct {
	Kind        string  // "sgd" or "adamw"
	Momentum    float64 // of SGD
	WeightDecay float64 // not applied to models.GroupHeadBias
	EMA         bool    // keep a moving average of the network
	// Group tells the learning-rate group of a variable.
	Group func(variablePath string) models.Group
}

// Variable scopes of what training adds beside the network.
const (
	optimizerScope = "/opt/"                         // saved with the checkpoint
	momentumScope  = "/opt/momentum"                 //
	meanScope      = "/opt/mean"                     // AdamW's moments
	squareScope    = "/opt/square"                   //
	averageScope   = "/opt/ema"                      // the moving average of the network
	gradientScope  = "/" + checkpoints.GradientScope // zero between updates, so never saved
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
		if isModelVariable(v.Path()) && v.InUseByGraph(g) && v.DType() == dtypes.Float32 && o.Group(v.Path()) != models.GroupFrozen {
			vars = append(vars, v)
		}
	}
	return vars
}

// AdamW's constants, PyTorch's defaults.
const beta1, beta2, adamEpsilon = 0.9, 0.999, 1e-8

// Update applies one gradient per variable. in holds scalars: the learning
// rates of the groups Backbone, Head and HeadBias, the number of this update
// counted from 1, and the step of the moving average.
func (o Optimizer) Update(store *model.Store, vars []*model.Variable, grads, in []*Node) {
	for i, v := range vars {
		group := o.Group(v.Path())
		w, rate := v.NodeValue(grads[i]), in[group-1]
		decay := o.WeightDecay
		if group == models.GroupHeadBias {
			decay = 0
		}
		if o.Kind == "adamw" {
			w = Mul(w, OneMinus(MulScalar(rate, decay)))
			v.SetNodeValue(Sub(w, Mul(o.adam(store, v, grads[i], in[inUpdate]), rate)))
			continue
		}
		d := grads[i]
		if decay != 0 {
			d = Add(d, MulScalar(w, decay))
		}
		if o.Momentum != 0 {
			buffer := zeros(store, momentumScope, v)
			d = Add(MulScalar(buffer.NodeValue(d), o.Momentum), d)
			buffer.SetNodeValue(d)
		}
		v.SetNodeValue(Sub(w, Mul(d, rate)))
	}
	if o.EMA {
		average(store, in[0].Graph(), in[inAverage])
	}
}

// adam moves the moments of a gradient and returns its direction.
func (o Optimizer) adam(store *model.Store, v *model.Variable, grad, update *Node) *Node {
	move := func(scope string, x *Node, beta float64) *Node {
		moment := zeros(store, scope, v)
		now := Add(MulScalar(moment.NodeValue(x), beta), MulScalar(x, 1-beta))
		moment.SetNodeValue(now)
		return Div(now, OneMinus(Pow(Scalar(x.Graph(), x.DType(), beta), update)))
	}
	mean, square := move(meanScope, grad, beta1), move(squareScope, Square(grad), beta2)
	return Div(mean, AddScalar(Sqrt(square), adamEpsilon))
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
