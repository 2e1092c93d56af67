package clip

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/train/optim"
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
	for i, v := range vars {
		v.SetNodeValue(optim.AdamW(optim.Step{Store: n.store, Var: v, Weight: v.NodeValue(grads[i]), Grad: grads[i],
			Rate: MulScalar(scalars[0], n.rate(v.Path())), Number: scalars[1], Decay: n.decay(v)}))
	}
}

// decay is the weight decay of a variable: none for vectors.
func (n *network) decay(v *model.Variable) float64 {
	if v.Shape().Rank() > 1 {
		return n.cfg.WeightDecay
	}
	return 0
}

// Moments is multilabel.Host's.
func (n *network) Moments(v *model.Variable) []*model.Variable {
	return optim.AdamWMoments(n.store, v)
}

// UpdateHost is multilabel.Host's.
func (n *network) UpdateHost(v *model.Variable, values, grads []float32, moments [][]float32, scalars []float32) {
	optim.NewHostAdamW(float64(scalars[0])*n.rate(v.Path()), n.decay(v), float64(scalars[1])).Update(values, grads, moments[0], moments[1])
}

// Scalars is multilabel.Net's: the base learning rate, and the number of the
// update counted from 1.
func (n *network) Scalars(step, total, perEpoch int) []float32 {
	return []float32{float32(rateAt(n.cfg, step, total, perEpoch)), float32(step + 1)}
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
