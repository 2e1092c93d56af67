package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() {
	register(map[string]legalise.Rule{
		"Sum":  variadic("Add"),
		"Min":  variadic("Min"),
		"Max":  variadic("Max"),
		"Mean": mean,
	})
}

// variadic folds any number of operands with a binary op.
func variadic(op string) legalise.Rule {
	return func(b *builder, n *node) []*value {
		if n.Op == op && len(n.In) == 2 {
			return nil
		}
		return one(chain(b, n, op))
	}
}

func chain(b *builder, n *node, op string) *value {
	x := arg(n, 0)
	for i := range n.In[1:] {
		x = b.Op(op, nil, x, arg(n, i+1))
	}
	return x
}

func mean(b *builder, n *node) []*value {
	x := chain(b, n, "Add")
	return one(div(b, x, like(b, x, float64(len(n.In)))))
}
