package layers

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// GroupNorm normalises each image's channels in so many groups, with the mean
// and the biased variance of all pixels of a group, as PyTorch's GroupNorm of x
// [batch, height, width, channels]; its variables at module are weight and bias.
// It panics where the groups do not divide the channels.
func (n Net) GroupNorm(scope *model.Scope, module string, x *Node, groups int) *Node {
	s := at(scope, module)
	d := x.Shape().Dimensions
	batch, pixels, c := d[0], d[1]*d[2], d[3]
	g := Reshape(x, batch, pixels, groups, c/groups)
	centred := Sub(g, ReduceAndKeep(g, ReduceMean, 1, 3))
	variance := ReduceAndKeep(Square(centred), ReduceMean, 1, 3)
	y := Reshape(Mul(centred, Reciprocal(Sqrt(AddScalar(variance, n.epsilon())))), d...)
	gamma := n.lookup(s, "weight", true, func(*rand.Rand) float64 { return 1 }, c).NodeValue(x.Graph())
	return addBias(mulChannels(y, gamma), n.Bias(s, x.Graph(), c))
}
