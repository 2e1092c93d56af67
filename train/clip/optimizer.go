package clip

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
)

// trainedVariable is a variable with its share of the learning rate and its
// weight decay.
type trainedVariable struct {
	*model.Variable
	rate, decay float64
}

// AdamW's constants, PyTorch's defaults.
const beta1, beta2, adamEpsilon = 0.9, 0.999, 1e-8

// Scopes of the optimiser's moments, saved with a checkpoint.
const (
	optScope    = "/opt/"
	meanScope   = optScope + "mean"
	squareScope = optScope + "square"
)

// adamW applies one gradient per variable, as PyTorch's AdamW does: rate is
// the base learning rate, update the number of this update counted from 1,
// scalars both.
func adamW(store *model.Store, vars []trainedVariable, grads []*Node, rate, update *Node) {
	for i, v := range vars {
		lr := MulScalar(rate, v.rate)
		w := v.NodeValue(grads[i])
		if v.decay != 0 {
			w = Mul(w, OneMinus(MulScalar(lr, v.decay)))
		}
		moment := func(scope string, x *Node, beta float64) *Node {
			m := shadow(store, scope, v.Variable)
			now := Add(MulScalar(m.NodeValue(x), beta), MulScalar(x, 1-beta))
			m.SetNodeValue(now)
			return Div(now, OneMinus(Pow(Scalar(x.Graph(), x.DType(), beta), update)))
		}
		mean, square := moment(meanScope, grads[i], beta1), moment(squareScope, Square(grads[i]), beta2)
		v.SetNodeValue(Sub(w, Mul(lr, Div(mean, AddScalar(Sqrt(square), adamEpsilon)))))
	}
}

// shadow is a variable of the shape of v, initially zero. Its first value
// comes from the host: the onnx backend refuses variables that have none.
func shadow(store *model.Store, scope string, v *model.Variable) *model.Variable {
	path := scope + v.Path()
	if have := store.GetVariable(path); have != nil {
		return have
	}
	return store.VariableWithValue(path, tensors.FromShape(v.Shape())).SetTrainable(false)
}

// rateAt is the base learning rate of an update counted from 0: a linear rise,
// then half a cosine down to the floor.
func rateAt(cfg configs.FineTuneCLIP, step, total, perEpoch int) float64 {
	rise := int(math.Round(cfg.WarmUp * float64(perEpoch)))
	if step < rise {
		return cfg.LR * float64(step+1) / float64(rise)
	}
	done := float64(step-rise) / float64(max(total-rise, 1))
	return cfg.LRMin + (cfg.LR-cfg.LRMin)*(1+math.Cos(math.Pi*done))/2
}
