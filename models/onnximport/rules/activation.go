package rules

import (
	"math"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"LeakyRelu":       leakyRelu,
		"PRelu":           prelu,
		"Elu":             elu,
		"Celu":            celu,
		"Selu":            selu,
		"ThresholdedRelu": thresholdedRelu,
		"HardSigmoid":     hardSigmoidOp,
		"HardSwish":       hardSwish,
		"Softplus":        func(b *builder, n *node) []*value { return one(softplus(b, arg(n, 0))) },
		"Softsign":        softsign,
		"Mish":            mish,
		"Swish":           swish,
		"QuickGelu":       swish,
		"Gelu":            gelu,
		"BiasGelu":        gelu,
		"FastGelu":        gelu,
		"Tan": func(b *builder, n *node) []*value {
			x := arg(n, 0)
			return one(div(b, b.Op("Sin", nil, x), b.Op("Cos", nil, x)))
		},
	})
}

// positivePart and negativePart split x = max(x, 0) + min(x, 0).
func positivePart(b *builder, x *value) *value { return b.Op("Relu", nil, x) }
func negativePart(b *builder, x *value) *value { return b.Op("Min", nil, x, like(b, x, 0)) }

func leakyRelu(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(add(b, positivePart(b, x), scale(b, negativePart(b, x), n.Float("alpha", 0.01))))
}

func prelu(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(add(b, positivePart(b, x), mul(b, negativePart(b, x), arg(n, 1))))
}

// exp1 is α·(exp(min(x, 0)/β) − 1).
func exp1(b *builder, x *value, alpha, beta float64) *value {
	e := b.Op("Exp", nil, scale(b, negativePart(b, x), 1/beta))
	return scale(b, sub(b, e, like(b, x, 1)), alpha)
}

func elu(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(add(b, positivePart(b, x), exp1(b, x, n.Float("alpha", 1), 1)))
}

func celu(b *builder, n *node) []*value {
	x, a := arg(n, 0), n.Float("alpha", 1)
	return one(add(b, positivePart(b, x), exp1(b, x, a, a)))
}

func selu(b *builder, n *node) []*value {
	x := arg(n, 0)
	y := add(b, positivePart(b, x), exp1(b, x, n.Float("alpha", 1.6732632), 1))
	return one(scale(b, y, n.Float("gamma", 1.0507010)))
}

func thresholdedRelu(b *builder, n *node) []*value {
	x := arg(n, 0)
	over := b.Op("Greater", nil, x, like(b, x, n.Float("alpha", 1)))
	return one(b.Op("Where", nil, over, x, like(b, x, 0)))
}

func hardSigmoid(b *builder, x *value, alpha, beta float64) *value {
	y := add(b, scale(b, x, alpha), like(b, x, beta))
	return b.Op("Min", nil, b.Op("Max", nil, y, like(b, x, 0)), like(b, x, 1))
}

func hardSigmoidOp(b *builder, n *node) []*value {
	return one(hardSigmoid(b, arg(n, 0), n.Float("alpha", 0.2), n.Float("beta", 0.5)))
}

func hardSwish(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(mul(b, x, hardSigmoid(b, x, 1.0/6, 0.5)))
}

// softplus is log(1 + exp x), written so that it does not overflow.
func softplus(b *builder, x *value) *value {
	e := b.Op("Exp", nil, b.Op("Neg", nil, b.Op("Abs", nil, x)))
	return add(b, positivePart(b, x), b.Op("Log", nil, add(b, e, like(b, x, 1))))
}

func softsign(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(div(b, x, add(b, b.Op("Abs", nil, x), like(b, x, 1))))
}

func mish(b *builder, n *node) []*value {
	x := arg(n, 0)
	return one(mul(b, x, b.Op("Tanh", nil, softplus(b, x))))
}

func swish(b *builder, n *node) []*value {
	x := arg(n, 0)
	def := 1.0
	if n.Op == "QuickGelu" {
		def = 1.702
	}
	return one(mul(b, x, b.Op("Sigmoid", nil, scale(b, x, n.Float("alpha", def)))))
}

// gelu is x·Φ(x), or its tanh approximation; the fused forms add a bias first.
// The exact form without bias is the importer's own, which engines fuse.
func gelu(b *builder, n *node) []*value {
	x := arg(n, 0)
	approximate := n.Op == "FastGelu" || n.Str("approximate", "none") == "tanh"
	bias := n.Arg(1)
	if !approximate && bias == nil {
		n.Attrs = nil
		return nil
	}
	if bias != nil {
		x = add(b, x, bias)
	}
	if !approximate {
		return one(b.Op("Gelu", nil, x))
	}
	cube := mul(b, mul(b, x, x), x)
	t := b.Op("Tanh", nil, scale(b, add(b, x, scale(b, cube, 0.044715)), math.Sqrt(2/math.Pi)))
	return one(scale(b, mul(b, x, add(b, t, like(b, x, 1))), 0.5))
}
