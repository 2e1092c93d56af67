package optim

import (
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
)

// Step is the update of one variable, in a graph.
type Step struct {
	Store           *model.Store // where a rule keeps what it remembers (Shadow)
	Var             *model.Variable
	Weight, Grad    *Node
	Rate            *Node   // learning rate, a scalar
	Number          *Node   // of this update counted from 1, a scalar
	Decay, Momentum float64 // of the weights; of the gradients
}

// Rule returns the new value of a variable. It builds a graph and panics on
// errors.
type Rule func(s Step) *Node

var (
	rules = map[string]Rule{}
	names []string // in the order of registration
)

func init() {
	Register("sgd", SGD)
	Register("adamw", AdamW)
	configs.Allow(configs.Optimizers, Names)
}

// Register adds a rule by the name that optimizer.name gives it; it panics on a
// duplicate name. Call it from init in the rule's own file.
func Register(name string, rule Rule) {
	if rules[name] != nil {
		panic("optim: registered twice: " + name)
	}
	rules[name], names = rule, append(names, name)
}

// Names lists the registered rules, in the order of their registration.
func Names() []string { return slices.Clone(names) }

// Find returns a registered rule; key names the config key in the error.
func Find(key, name string) (Rule, error) {
	rule := rules[name]
	if rule == nil {
		return nil, fmt.Errorf("%s = %q: allowed is one of %s", key, name, strings.Join(names, ", "))
	}
	return rule, nil
}

// SGD is PyTorch's: weight decay joins the gradient before momentum, and the
// rate scales the buffer, not what enters it.
func SGD(s Step) *Node {
	d := s.Grad
	if s.Decay != 0 {
		d = Add(d, MulScalar(s.Weight, s.Decay))
	}
	if s.Momentum != 0 {
		buffer := Shadow(s.Store, momentumScope, s.Var)
		d = Add(MulScalar(buffer.NodeValue(d), s.Momentum), d)
		buffer.SetNodeValue(d)
	}
	return Sub(s.Weight, Mul(d, s.Rate))
}

// AdamW's constants, PyTorch's defaults.
const beta1, beta2, epsilon = 0.9, 0.999, 1e-8

// Scopes of what the rules remember of a variable.
const (
	momentumScope = Scope + "momentum"
	meanScope     = Scope + "mean"   // AdamW's moments
	squareScope   = Scope + "square" //
)

// AdamW is PyTorch's: weight decay shrinks the weights apart from the gradient.
func AdamW(s Step) *Node {
	w := s.Weight
	if s.Decay != 0 {
		w = Mul(w, OneMinus(MulScalar(s.Rate, s.Decay)))
	}
	move := func(scope string, x *Node, beta float64) *Node {
		moment := Shadow(s.Store, scope, s.Var)
		now := Add(MulScalar(moment.NodeValue(x), beta), MulScalar(x, 1-beta))
		moment.SetNodeValue(now)
		return Div(now, OneMinus(Pow(Scalar(x.Graph(), x.DType(), beta), s.Number)))
	}
	mean, square := move(meanScope, s.Grad, beta1), move(squareScope, Square(s.Grad), beta2)
	return Sub(w, Mul(Div(mean, AddScalar(Sqrt(square), epsilon)), s.Rate))
}

// AdamWMoments are the variables in which AdamW remembers v.
func AdamWMoments(store *model.Store, v *model.Variable) []*model.Variable {
	return []*model.Variable{Shadow(store, meanScope, v), Shadow(store, squareScope, v)}
}

// HostAdamW is AdamW on values in the memory of the host, in their place: its
// constants meet in one factor each.
type HostAdamW struct{ keep, rate, scale float32 }

// NewHostAdamW prepares update number n, counted from 1, of a variable.
func NewHostAdamW(rate, decay, n float64) HostAdamW {
	return HostAdamW{
		keep:  float32(1 - rate*decay),
		rate:  float32(rate / (1 - math.Pow(beta1, n))),
		scale: float32(1 / math.Sqrt(1-math.Pow(beta2, n))),
	}
}

// Update gives the weights w and both moments their new values:
// w·keep − rate·mean / (√square·scale + ε).
func (a HostAdamW) Update(w, grad, mean, square []float32) {
	grad, mean, square = grad[:len(w)], mean[:len(w)], square[:len(w)]
	for i, g := range grad {
		m := mean[i]*beta1 + g*(1-beta1)
		s := square[i]*beta2 + g*g*(1-beta2)
		mean[i], square[i] = m, s
		w[i] = w[i]*a.keep - a.rate*m/(float32(math.Sqrt(float64(s)))*a.scale+epsilon)
	}
}
