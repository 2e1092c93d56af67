package layers

import . "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas

// LogSumExp gives logits [..., classes] less their greatest, z, and log Σ exp z
// [...] over the classes, without overflow. The cross-entropy of a class c is
// sum − z[c], log softmax is z − sum. The greatest is no path of the gradient.
func LogSumExp(logits *Node) (z, sum *Node) {
	z = Sub(logits, StopGradient(ReduceAndKeep(logits, ReduceMax, -1)))
	return z, Log(ReduceSum(Exp(z), -1))
}
