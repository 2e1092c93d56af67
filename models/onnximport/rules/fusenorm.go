package rules

import (
	"slices"

	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"Add": func(b *builder, n *node) []*value {
		if out := affineNorm(b, n); out != nil {
			return out
		}
		return axisBias(b, n)
	}})
}

// affineNorm finds the layer normalisation over the last axis that PyTorch
// spells out as (x − mean) / √(variance + ε) · scale + bias.
func affineNorm(b *builder, n *node) []*value {
	if !legalise.IsFloat(arg(n, 0).DType) {
		return nil
	}
	y, bias := ofVector(arg(n, 0), arg(n, 1), "Mul")
	if y == nil {
		return nil
	}
	quotient, scale := ofVector(y.Node.In[0], y.Node.In[1], "Div")
	if quotient == nil || scale.Len() != bias.Len() {
		return nil
	}
	centred, root := quotient.Node.In[0], quotient.Node.In[1]
	if !made(centred, "Sub") || !made(root, "Sqrt") || !made(root.Node.In[0], "Add") {
		return nil
	}
	variance, eps := root.Node.In[0].Node.In[0], root.Node.In[0].Node.In[1]
	x, mean := centred.Node.In[0], centred.Node.In[1]
	if x.Dims[x.Rank()-1] != scale.Len() || !lastMean(mean, x) || !made(variance, "ReduceMean") ||
		!isSquare(variance.Node.In[0], centred) || !lastMean(variance, centred) || eps.Const == nil || eps.Len() != 1 {
		return nil
	}
	return one(b.Op("LayerNormalization", attrs{"axis": int64(-1), "epsilon": float32(eps.Const.Floats[0])}, x, scale, bias))
}

// ofVector returns that of x and y which the operation op made, and the other one if
// it is a vector; else nil.
func ofVector(x, y *value, op string) (*value, *value) {
	switch {
	case made(x, op) && y.Rank() == 1:
		return x, y
	case made(y, op) && x.Rank() == 1:
		return y, x
	}
	return nil, nil
}

func made(v *value, op string) bool { return v.Node != nil && v.Node.Op == op }

// lastMean tells whether v is a mean along the last axis of x, or of its
// square, that keeps the axis.
func lastMean(v, x *value) bool {
	if !made(v, "ReduceMean") || x.Rank() == 0 || v.Rank() != x.Rank() {
		return false
	}
	in, last := v.Node.In[0], x.Rank()-1
	return (in == x || isSquare(in, x)) && v.Dims[last] == 1 && slices.Equal(v.Dims[:last], x.Dims[:last])
}

// isSquare tells whether v is x².
func isSquare(v, x *value) bool {
	if made(v, "Mul") {
		return v.Node.In[0] == x && v.Node.In[1] == x
	}
	return made(v, "Pow") && v.Node.In[0] == x && isScalar(v.Node.In[1], 2)
}
