package layers

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Param is a variable of the given shape at scope, initially normal with
// deviation std; 0 makes it 0.
func (n Net) Param(scope *model.Scope, name string, g *Graph, std float64, dims ...int) *Node {
	return n.variable(scope, g, name, true, func(r *rand.Rand) float64 { return r.NormFloat64() * std }, dims...)
}

// Scale multiplies x [..., channels] by a factor per channel (LayerScale), the
// variable name [channels] at module, initially value.
func (n Net) Scale(scope *model.Scope, module, name string, x *Node, value float64) *Node {
	gamma := n.variable(at(scope, module), x.Graph(), name, true, func(*rand.Rand) float64 { return value }, x.Shape().Dim(-1))
	return mulChannels(x, ConvertDType(gamma, x.DType()))
}

// QuickGELU is x·sigmoid(1.702·x), OpenAI's approximation of GELU.
func QuickGELU(x *Node) *Node { return Mul(x, Sigmoid(MulScalar(x, 1.702))) }
