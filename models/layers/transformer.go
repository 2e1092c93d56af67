package layers

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Dense is x [..., in] times the variable weight [out, in] of module, plus bias
// [out] if biased. Initial weights are normal with deviation std.
func (n Net) Dense(scope *model.Scope, module string, x *Node, out int, biased bool, std float64) *Node {
	s, g, in := at(scope, module), x.Graph(), x.Shape().Dim(-1)
	w := n.variable(s, g, "weight", true, func(r *rand.Rand) float64 { return r.NormFloat64() * std }, out, in)
	var bias *Node
	if biased {
		bias = n.Bias(s, g, out)
	}
	return Affine(x, w, bias)
}

// Affine is x [..., in] times wᵀ, of w [out, in], plus bias [out], which may be
// nil. Weights of another type become x's.
func Affine(x, w, bias *Node) *Node {
	dims := append([]int{}, x.Shape().Dimensions...)
	dims[len(dims)-1] = w.Shape().Dim(0)
	w = ConvertDType(w, x.DType())
	if bias == nil {
		return Reshape(productT(flat(x), w), dims...)
	}
	y := WithGradient([]*Node{flat(x), w, ConvertDType(bias, x.DType())},
		func(in []*Node) *Node { return addBias(productT(in[0], in[1]), in[2]) },
		func(_, dy *Node) []*Node {
			return []*Node{product(dy, w), product(Transpose(dy, 0, 1), flat(x)), sumRows(dy)}
		})
	return Reshape(y, dims...)
}

// LayerNorm normalises x [..., channels] over its channels, as PyTorch's; its
// variables at module are weight and bias. It is computed in float32.
func (n Net) LayerNorm(scope *model.Scope, module string, x *Node) *Node {
	s, g, c := at(scope, module), x.Graph(), x.Shape().Dim(-1)
	gamma := n.lookup(s, "weight", true, func(*rand.Rand) float64 { return 1 }, c).NodeValue(g)
	y := layerNorm(ConvertDType(flat(x), dtypes.Float32), gamma, n.Bias(s, g, c), n.epsilon())
	return ConvertDType(Reshape(y, x.Shape().Dimensions...), x.DType())
}

// layerNorm is LayerNorm of the rows of x [rows, channels], with the gradient
// written out:
// dx = (d − mean(d) − x̂·mean(d·x̂))/σ with d = dy·γ, dγ = Σ dy·x̂, dβ = Σ dy.
func layerNorm(x, gamma, beta *Node, epsilon float64) *Node {
	var mean, inv *Node
	normal := func(x *Node) *Node { return Mul(Sub(x, mean), inv) }
	return WithGradient([]*Node{x, gamma, beta}, func(in []*Node) *Node {
		mean = meanColumns(in[0])
		centred := Sub(in[0], mean)
		inv = Reciprocal(Sqrt(AddScalar(meanColumns(Square(centred)), epsilon)))
		return addBias(mulChannels(Mul(centred, inv), in[1]), in[2])
	}, func(_, dy *Node) []*Node {
		hat, d := normal(x), mulChannels(dy, gamma)
		dx := Mul(inv, Sub(Sub(d, meanColumns(d)), Mul(hat, meanColumns(Mul(d, hat)))))
		return []*Node{dx, sumRows(Mul(dy, hat)), sumRows(dy)}
	})
}

// meanColumns is the mean of each row of x [rows, columns]: [rows, 1].
func meanColumns(x *Node) *Node { return MulScalar(sumColumns(x), 1/float64(x.Shape().Dim(1))) }

// sumColumns is the sum of each row of x [rows, columns]: [rows, 1].
func sumColumns(x *Node) *Node {
	if reduces(x) {
		return ReduceAndKeep(x, ReduceSum, 1)
	}
	return product(x, Ones(x.Graph(), shapes.Make(x.DType(), x.Shape().Dim(1), 1)))
}

// SumLast is the sum over the last axis of x, which stays with size 1.
func SumLast(x *Node) *Node {
	dims := append([]int{}, x.Shape().Dimensions...)
	dims[len(dims)-1] = 1
	return Reshape(sumColumns(flat(x)), dims...)
}

// GELU is x·Φ(x), by the error function.
func GELU(x *Node) *Node {
	return WithGradient([]*Node{x}, func(in []*Node) *Node {
		return MulScalar(Mul(in[0], AddScalar(Erf(MulScalar(in[0], math.Sqrt2/2)), 1)), 0.5)
	}, func(_, dy *Node) []*Node {
		area := MulScalar(AddScalar(Erf(MulScalar(x, math.Sqrt2/2)), 1), 0.5)
		density := MulScalar(Exp(MulScalar(Square(x), -0.5)), 1/math.Sqrt(2*math.Pi))
		return []*Node{Mul(dy, Add(area, Mul(x, density)))}
	})
}

// ReLU is max(x, 0); where x is 0 its gradient is 0.
func ReLU(x *Node) *Node {
	return withGradient([]*Node{x}, func(in []*Node) *Node { return MaxScalar(in[0], 0) },
		func([]*Node) []vjp { return []vjp{reluGradient} })
}

// SoftmaxLast is the softmax of the last axis of x.
func SoftmaxLast(x *Node) *Node {
	dims := x.Shape().Dimensions
	y := WithGradient([]*Node{flat(x)}, func(in []*Node) *Node { return softmax(in[0]) },
		func(y, dy *Node) []*Node { return []*Node{Mul(y, Sub(dy, sumColumns(Mul(dy, y))))} })
	return Reshape(y, dims...)
}

func softmax(x *Node) *Node {
	e := Exp(Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, 1))))
	return Mul(e, Reciprocal(sumColumns(e)))
}

// SplitHeads turns x [batch, tokens, heads·width] into [batch·heads, tokens, width].
func SplitHeads(x *Node, heads int) *Node {
	b, n, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	x = TransposeAllAxes(Reshape(x, b, n, heads, c/heads), 0, 2, 1, 3)
	return Reshape(x, b*heads, n, c/heads)
}

// JoinHeads is the way back.
func JoinHeads(x *Node, heads int) *Node {
	b, n, c := x.Shape().Dim(0)/heads, x.Shape().Dim(1), x.Shape().Dim(2)
	x = TransposeAllAxes(Reshape(x, b, heads, n, c), 0, 2, 1, 3)
	return Reshape(x, b, n, heads*c)
}

// Attend is softmax(q·kᵀ/√width + bias)·v for q [batch, n, width] and k, v
// [batch, m, width]. biased adds to the scores [batch, n, m]; nil adds nothing.
func Attend(q, k, v *Node, biased func(scores *Node) *Node) *Node {
	q = MulScalar(q, 1/math.Sqrt(float64(q.Shape().Dim(2))))
	scores := DotGeneral(q, []int{2}, []int{0}, k, []int{2}, []int{0})
	if biased != nil {
		scores = biased(scores)
	}
	return DotGeneral(SoftmaxLast(scores), []int{2}, []int{0}, v, []int{1}, []int{0})
}
