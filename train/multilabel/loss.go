package multilabel

import . "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas

// Loss compares logits with image labels.
type Loss struct {
	// Kind is softmax (over the classes), bce (one yes or no per class, PyTorch's
	// multilabel soft margin) or asl (bce that focuses on hard ones).
	Kind               string
	GammaPos, GammaNeg float64 // asl: focus on hard positives, on hard negatives
	Margin             float64 // asl: negatives below this probability count nothing
}

// Cost is the mean cost of logits [batch, classes] against targets and known,
// of the same shape: targets is 1 for present classes, known is 1 for classes
// of which it is known whether they are. It builds a graph.
func (l Loss) Cost(logits, targets, known *Node) *Node {
	if l.Kind == "softmax" {
		return softmaxLoss(logits, targets)
	}
	// Focus and margin of zero make the asymmetric loss plain cross-entropy.
	gammaPos, gammaNeg, margin := 0.0, 0.0, 0.0
	if l.Kind == "asl" {
		gammaPos, gammaNeg, margin = l.GammaPos, l.GammaNeg, l.Margin
	}
	yes := Mul(focused(logits, gammaPos, 0), targets)
	no := Mul(focused(Neg(logits), gammaNeg, margin), OneMinus(targets))
	cost := Mul(Add(yes, no), known)
	return Div(ReduceAllSum(cost), MaxScalar(ReduceAllSum(known), 1))
}

// Probabilities are of the classes, over all or each for itself.
func (l Loss) Probabilities(logits *Node) *Node {
	if l.Kind == "softmax" {
		return Exp(LogSoftmax(logits))
	}
	return Sigmoid(logits)
}

// softmaxLoss is cross-entropy over the classes. An image of several classes
// wants each with the same probability; one of none costs nothing.
func softmaxLoss(logits, targets *Node) *Node {
	count := ReduceAndKeep(targets, ReduceSum, -1)
	share := Div(targets, MaxScalar(count, 1))
	cost := Neg(ReduceAllSum(Mul(share, LogSoftmax(logits))))
	return Div(cost, MaxScalar(ReduceAllSum(MinScalar(count, 1)), 1))
}

// focused is −log p, p = σ(x) being the probability of the right answer, times
// (1 − p)^gamma. With a margin, right answers count as more probable than they
// are, and from 1 − margin on not at all.
func focused(x *Node, gamma, margin float64) *Node {
	if gamma == 0 && margin == 0 {
		return softplus(Neg(x))
	}
	p := Sigmoid(x)
	cost := softplus(Neg(x))
	if margin > 0 {
		p = MinScalar(AddScalar(p, margin), 1)
		cost = Neg(Log(MaxScalar(p, 1e-8)))
	}
	if gamma == 0 {
		return cost
	}
	// The weight is no path of the gradient, as in the reference implementation
	// of the asymmetric loss.
	return Mul(cost, StopGradient(PowScalar(OneMinus(p), gamma)))
}

// softplus is log(1 + exp(x)) without overflow.
func softplus(x *Node) *Node {
	return Add(MaxScalar(x, 0), Log1P(Exp(Neg(Abs(x)))))
}
