package layers

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// normVars are the variables of one batch normalisation, each [channels].
type normVars struct{ gamma, beta, mean, variance *model.Variable }

func (n Net) norm(scope *model.Scope, c int) normVars {
	// The onnx backend compiles untrainable variables into evaluation graphs as
	// constants, so the running statistics count as trainable where they move.
	constant := func(name string, learns bool, v float64) *model.Variable {
		return n.lookup(scope, name, learns, func(*rand.Rand) float64 { return v }, c)
	}
	affine := n.TrainNorm || n.TrainAffine
	return normVars{constant("weight", affine, 1), constant("bias", affine, 0), constant("running_mean", n.TrainNorm, 0), constant("running_var", n.TrainNorm, 1)}
}

// Norm is batch normalisation without a convolution before it (variables at
// module: weight, bias, running_mean, running_var), and ReLU if asked: what a
// network that activates before it convolves begins its branches with. Beyond the
// image of a canvas its values mean nothing.
func (n Net) Norm(scope *model.Scope, module string, x *Node, relu bool) *Node {
	g := x.Graph()
	p := n.norm(at(scope, module), x.Shape().Dim(3))
	if n.Training && n.TrainNorm {
		y := n.batchNorm(ConvertDType(x, p.gamma.Shape().DType), p, relu)
		return ConvertDType(y, x.DType())
	}
	scale := Mul(p.gamma.NodeValue(g), inverseDeviation(p.variance.NodeValue(g), n.epsilon()))
	bias := Sub(p.beta.NodeValue(g), Mul(p.mean.NodeValue(g), scale))
	return biasReLU(mulChannels(x, ConvertDType(scale, x.DType())), ConvertDType(bias, x.DType()), relu)
}

// batchNorm normalises x by the statistics of the batch, moves the running
// ones, and applies ReLU if asked. The running variance gets the unbiased
// estimate, the output the biased one, as in PyTorch.
func (n Net) batchNorm(x *Node, p normVars, relu bool) *Node {
	g := x.Graph()
	stats := batchStatistics(x)
	stats.epsilon = n.epsilon()
	m := n.Momentum
	if m == 0 {
		m = 0.1
	}
	move := func(v *model.Variable, now *Node) {
		v.SetNodeValue(Add(MulScalar(v.NodeValue(g), 1-m), MulScalar(now, m)))
	}
	move(p.mean, stats.mean)
	move(p.variance, MulScalar(stats.variance, stats.count/max(stats.count-1, 1)))
	return stats.normalise(x, p.gamma.NodeValue(g), p.beta.NodeValue(g), relu)
}

// statistics are the mean and biased variance [channels] of count pixels.
type statistics struct {
	mean, variance *Node
	count          float64
	epsilon        float64 // of the variance
}

// batchStatistics lets no gradient through: normalise accounts for it.
func batchStatistics(x *Node) statistics {
	x = StopGradient(x)
	count := float64(x.Shape().Size() / x.Shape().Dim(-1))
	mean := MulScalar(sumRows(x), 1/count)
	centred := addBias(x, Neg(mean))
	return statistics{mean: mean, variance: MulScalar(sumRows(Square(centred)), 1/count), count: count, epsilon: Epsilon}
}

// normalise is γ·(x-mean)·inv + β, then ReLU if asked, where inv = 1/√(var+ε),
// with the gradient through the statistics of x written out:
// dx = γ·inv·(dy - (Σdy + x̂·Σ(dy·x̂))/count), dγ = Σ(dy·x̂), dβ = Σdy.
func (s statistics) normalise(x, gamma, beta *Node, relu bool) *Node {
	inv := inverseDeviation(s.variance, s.epsilon)
	return withGradient([]*Node{x, gamma, beta}, func(in []*Node) *Node {
		a := Mul(in[1], inv)
		y := addBias(mulChannels(in[0], a), Sub(in[2], Mul(s.mean, a)))
		if relu {
			y = MaxScalar(y, 0)
		}
		return y
	}, func(in []*Node) []vjp {
		// The three gradients share the two sums.
		var seen, d, sum, dot *Node
		sums := func(y, dy *Node) {
			if seen == dy {
				return
			}
			seen, d = dy, dy
			if relu {
				d = reluGradient(y, dy)
			}
			sum = sumRows(d)
			// Σ(dy·x̂) = inv·(Σ dy·(x-mean)), centred first for precision.
			dot = Mul(inv, sumRows(Mul(d, addBias(in[0], Neg(s.mean)))))
		}
		return []vjp{
			func(y, dy *Node) *Node {
				sums(y, dy)
				a := Mul(in[1], inv)
				// dx = a·d + p·x + q, with p and q per channel.
				p := Neg(Mul(a, MulScalar(Mul(dot, inv), 1/s.count)))
				q := Sub(Neg(Mul(p, s.mean)), Mul(a, MulScalar(sum, 1/s.count)))
				return Add(addBias(mulChannels(d, a), q), mulChannels(in[0], p))
			},
			func(y, dy *Node) *Node { sums(y, dy); return dot },
			func(y, dy *Node) *Node { sums(y, dy); return sum },
		}
	})
}

// inverseDeviation is 1/√(variance+ε), a constant to the gradient. The onnx
// backend has no Rsqrt.
func inverseDeviation(variance *Node, epsilon float64) *Node {
	return StopGradient(Reciprocal(Sqrt(AddScalar(variance, epsilon))))
}

// foldScale multiplies a kernel by constant factors per output channel. GoMLX's
// own derivative would first spread the factors over an array of the kernel's
// size.
func foldScale(w, scale *Node) *Node {
	return withGradient([]*Node{w}, func(in []*Node) *Node { return mulChannels(in[0], scale) },
		func([]*Node) []vjp { return []vjp{func(_, dy *Node) *Node { return mulChannels(dy, scale) }} })
}

// mulChannels multiplies x [..., channels] by a [channels].
func mulChannels(x, a *Node) *Node {
	return Mul(x, ExpandLeftToRank(a, x.Rank()))
}
