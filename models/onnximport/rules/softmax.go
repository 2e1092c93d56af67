package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{"Softmax": softmax, "LogSoftmax": logSoftmax})
}

// softmaxView returns x and the axis to normalise over. Before operator set
// 13 all axes from the given one on are normalised together.
func softmaxView(b *builder, n *node) (*value, int) {
	x := arg(n, 0)
	if b.Opset() >= 13 {
		return x, n.Axis("axis", -1, x.Rank())
	}
	axis := n.Axis("axis", 1, x.Rank())
	if axis == x.Rank()-1 {
		return x, axis
	}
	return b.Reshape(x, prod(x.Dims[:axis]), prod(x.Dims[axis:])), 1
}

func softmax(b *builder, n *node) []*value {
	x, axis := softmaxView(b, n)
	if x == n.In[0] && n.Has("axis") {
		return nil
	}
	if x == n.In[0] {
		n.Attrs = attrs{"axis": int64(axis)}
		return nil
	}
	y := b.Op("Softmax", attrs{"axis": int64(axis)}, x)
	return one(b.Reshape(y, n.In[0].Dims...))
}

func logSoftmax(b *builder, n *node) []*value {
	x, axis := softmaxView(b, n)
	x = sub(b, x, b.Reduce("ReduceMax", x, true, axis))
	sum := b.Reduce("ReduceSum", b.Op("Exp", nil, x), true, axis)
	return one(b.Reshape(sub(b, x, b.Op("Log", nil, sum)), n.In[0].Dims...))
}
