package clip

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
)

// AdamW's constants, PyTorch's defaults.
const beta1, beta2, adamEpsilon = 0.9, 0.999, 1e-8

// Scopes of the optimiser's moments, saved with a checkpoint.
const (
	optScope    = "/opt/"
	meanScope   = optScope + "mean"
	squareScope = optScope + "square"
)

// Trained is multilabel.Net's, in the order of the variables' creation.
func (n *network) Trained(g *Graph) (vars []*model.Variable) {
	for v := range n.store.IterVariables() {
		if path := v.Path(); n.IsWeight(path) && v.DType() == dtypes.Float32 && v.InUseByGraph(g) && n.rate(path) > 0 {
			vars = append(vars, v)
		}
	}
	return vars
}

// Update is multilabel.Net's: PyTorch's AdamW, with a rate and weight decay of
// each variable's own. scalars are those of Scalars.
func (n *network) Update(vars []*model.Variable, grads, scalars []*Node) {
	rate, update := scalars[0], scalars[1]
	for i, v := range vars {
		lr := MulScalar(rate, n.rate(v.Path()))
		w := v.NodeValue(grads[i])
		if n.cfg.WeightDecay != 0 && v.Shape().Rank() > 1 {
			w = Mul(w, OneMinus(MulScalar(lr, n.cfg.WeightDecay)))
		}
		moment := func(scope string, x *Node, beta float64) *Node {
			m := shadow(n.store, scope, v)
			now := Add(MulScalar(m.NodeValue(x), beta), MulScalar(x, 1-beta))
			m.SetNodeValue(now)
			return Div(now, OneMinus(Pow(Scalar(x.Graph(), x.DType(), beta), update)))
		}
		mean, square := moment(meanScope, grads[i], beta1), moment(squareScope, Square(grads[i]), beta2)
		v.SetNodeValue(Sub(w, Mul(lr, Div(mean, AddScalar(Sqrt(square), adamEpsilon)))))
	}
}

// Moments is multilabel.Host's.
func (n *network) Moments(v *model.Variable) []*model.Variable {
	return []*model.Variable{shadow(n.store, meanScope, v), shadow(n.store, squareScope, v)}
}

// UpdateHost is multilabel.Host's: the same as Update, where its constants meet
// in one factor each.
func (n *network) UpdateHost(v *model.Variable, values, grads []float32, moments [][]float32, scalars []float32) {
	update := float64(scalars[1])
	lr := float64(scalars[0]) * n.rate(v.Path())
	keep := 1.0
	if v.Shape().Rank() > 1 {
		keep -= lr * n.cfg.WeightDecay
	}
	adamW{
		keep:  float32(keep),
		rate:  float32(lr / (1 - math.Pow(beta1, update))),
		scale: float32(1 / math.Sqrt(1-math.Pow(beta2, update))),
	}.update(values, grads, moments[0], moments[1])
}

// adamW are the factors of an update of AdamW: w·keep − rate·m / (√v·scale + ε).
type adamW struct{ keep, rate, scale float32 }

func (a adamW) update(w, grad, mean, square []float32) {
	grad, mean, square = grad[:len(w)], mean[:len(w)], square[:len(w)]
	for i, g := range grad {
		m := mean[i]*beta1 + g*(1-beta1)
		s := square[i]*beta2 + g*g*(1-beta2)
		mean[i], square[i] = m, s
		w[i] = w[i]*a.keep - a.rate*m/(float32(math.Sqrt(float64(s)))*a.scale+adamEpsilon)
	}
}

// Scalars is multilabel.Net's: the base learning rate, and the number of the
// update counted from 1.
func (n *network) Scalars(step, total, perEpoch int) []float32 {
	return []float32{float32(rateAt(n.cfg, step, total, perEpoch)), float32(step + 1)}
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
