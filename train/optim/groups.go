package optim

import (
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
)

// LayerRates are the factors of learning rates that fall with the distance of a
// layer from the head: decay^(layers − layer). nil where decay is 0 or 1.
func LayerRates(net models.Layered, decay float64) func(variablePath string) float64 {
	if decay == 0 || decay == 1 {
		return nil
	}
	return func(path string) float64 {
		return math.Pow(decay, float64(net.Layers()-net.Layer(path)))
	}
}

// isKernel tells the weights of more than one axis from norms, biases, tokens and
// embeddings.
func (o Optimizer) isKernel(v *model.Variable) bool {
	name := v.Path()[strings.LastIndexByte(v.Path(), '/')+1:]
	return v.Shape().Rank() > 1 && (name == "weight" || name == "in_proj_weight") && (o.Embedding == nil || !o.Embedding(v.Path()))
}

// Clip scales gradients down to a total norm of ClipNorm where theirs, the root of
// squared, is higher, as PyTorch's clip_grad_norm_; 0 leaves them.
func (o Optimizer) Clip(grads []*Node, squared *Node) []*Node {
	if o.ClipNorm == 0 {
		return grads
	}
	factor := MinScalar(Div(Scalar(squared.Graph(), squared.DType(), o.ClipNorm), AddScalar(Sqrt(squared), 1e-6)), 1)
	out := make([]*Node, len(grads))
	for i, g := range grads {
		out[i] = Mul(g, factor)
	}
	return out
}
