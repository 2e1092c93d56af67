package rules

import (
	"math"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"Mul": product3}) }

// product3 finds the GELU that PyTorch spells out as ½·x·(1 + erf(x/√2)), in
// any order of the factors.
func product3(b *builder, n *node) []*value {
	if !legalise.IsFloat(arg(n, 0).DType) {
		return nil
	}
	factors := factorsOf(n, 0, nil)
	if len(factors) != 3 {
		return nil
	}
	var half bool
	var inner, x *value
	for _, f := range factors {
		switch {
		case isScalar(f, 0.5):
			half = true
		case erfArgument(f) != nil:
			inner = erfArgument(f)
		default:
			x = f
		}
	}
	if !half || x == nil || inner != x {
		return nil
	}
	return one(b.Op("Gelu", nil, x))
}

// factorsOf lists what n multiplies, through products of products.
func factorsOf(n *node, depth int, out []*value) []*value {
	for _, v := range n.In {
		if v.Node != nil && v.Node.Op == "Mul" && depth < 2 {
			out = factorsOf(v.Node, depth+1, out)
		} else {
			out = append(out, v)
		}
	}
	return out
}

func isScalar(v *value, want float64) bool {
	return v.Const != nil && len(v.Const.Floats) == 1 && math.Abs(v.Const.Floats[0]-want) < 1e-6
}

// erfArgument returns x where v is 1 + erf(x/√2), else nil.
func erfArgument(v *value) *value {
	erf := partner(v, "Add", 1)
	if erf == nil || erf.Node == nil || erf.Node.Op != "Erf" {
		return nil
	}
	arg := erf.Node.In[0]
	if x := partner(arg, "Mul", math.Sqrt(0.5)); x != nil {
		return x
	}
	if arg.Node != nil && arg.Node.Op == "Div" && isScalar(arg.Node.In[1], math.Sqrt2) {
		return arg.Node.In[0]
	}
	return nil
}

// partner returns the other operand where v applies op to a constant.
func partner(v *value, op string, constant float64) *value {
	if v.Node == nil || v.Node.Op != op {
		return nil
	}
	x, y := v.Node.In[0], v.Node.In[1]
	switch {
	case isScalar(y, constant):
		return x
	case isScalar(x, constant):
		return y
	}
	return nil
}
