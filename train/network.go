package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/layers"
	"wsss/train/early"
	"wsss/train/optim"
	"wsss/train/parallel"
)

// network is a segmenter together with its variables.
type network struct {
	models.Segmenter
	backend compute.Backend
	store   *model.Store
	classes int
}

// grid is the size of a logit map.
type grid struct{ h, w int }

// newNetwork is a network without variables yet; seed is that of its initial
// weights and of dropout.
func newNetwork(b compute.Backend, net models.Segmenter, classes int, seed int64) (*network, error) {
	n := &network{Segmenter: net, backend: b, store: model.NewStore(), classes: classes}
	n.store.SetParam("/"+model.ParamInitialSeed, seed)
	// The store's own method makes a variable that no second device can have.
	return n, optim.SeedRNG(n.store, seed)
}

// probe makes the variables of the network that do not exist yet, and returns
// the sizes of the label maps that it learns from, those of its logit maps, for an
// image of side×side pixels: it builds the training graph, which is never run. The go backend does it whatever the
// training runs on, because it compiles nothing.
func (n *network) probe(side int) (grids []grid, err error) {
	err = layers.MakeVariables(n.store, side, func(scope *model.Scope, images *Node) []*Node {
		logits := n.Logits(scope, images, true)
		if _, whole := n.Segmenter.(models.Learner); whole {
			grids = []grid{{side, side}}
			logits = nil
		}
		for _, l := range logits {
			s := l.Shape()
			if _, own := n.Segmenter.(models.Taught); s.Rank() != 4 || s.Dim(3) != n.classes && !own {
				panic(fmt.Errorf("the network gives logits %s for %d classes", s, n.classes))
			}
			grids = append(grids, grid{s.Dim(1), s.Dim(2)})
		}
		return []*Node{Const(images.Graph(), float32(0))}
	})
	return grids, err
}

// step is the compiled training: one graph for a whole update, or, with
// accumulation, one that adds a gradient and one that applies the sum. The graphs
// that compute a gradient give the loss, for a whole update the squared norm of
// the gradient, and, where a tracker watches, the counts of early.Counts.
type step struct {
	whole, add, apply *model.Exec
	grids             []grid // distinct label sizes, in the order of the label inputs
	of                []int  // logit map → index in grids
	scalars           int    // index of the first scalar among the inputs of whole
}

// newStep prepares the graphs; they compile on the first call.
func newStep(n *network, all []grid, loss Loss, weighted bool, opt optim.Optimizer, t configs.Train, split *parallel.Devices) (*step, error) {
	s := &step{}
	for _, g := range all {
		i := slices.Index(s.grids, g)
		if i < 0 {
			i = len(s.grids)
			s.grids = append(s.grids, g)
		}
		s.of = append(s.of, i)
	}
	// Inputs: images, one label map per grid, if asked for as many maps of weights,
	// for a models.Learner the classes present, and for an update the rates. The graph
	// that adds a gradient takes the number of the update after the maps. Last are the
	// classes that are learnt, for a loss that asks for them.
	s.scalars = 1 + len(s.grids)
	if weighted {
		s.scalars += len(s.grids)
	}
	learner, _ := n.Segmenter.(models.Learner)
	if learner != nil {
		s.scalars++ // the classes of each image
	}
	watched := 0
	if loss.ByClass {
		watched = 1
	}
	b := gradients{n, s, loss, weighted, learner != nil, opt, t}
	var err error
	if t.Accumulate == 1 {
		s.whole, err = model.NewExec(n.backend, n.store, func(scope *model.Scope, in []*Node) []*Node {
			vars, loss, grads, counts := b.of(scope, in, in[s.scalars+optim.InNumber])
			norm := squaredNorm(grads)
			opt.Update(n.store, vars, opt.Clip(grads, norm), in[s.scalars:])
			return append([]*Node{loss, norm}, counts...)
		})
		if err != nil {
			return nil, err
		}
		return s, split.Configure(s.whole, s.scalars, optim.NumScalars+watched)
	}
	var trained []*model.Variable
	s.add, err = model.NewExec(n.backend, n.store, func(scope *model.Scope, in []*Node) []*Node {
		vars, loss, grads, counts := b.of(scope, in, in[s.scalars])
		trained = vars
		opt.Accumulate(n.store, vars, grads)
		return append([]*Node{loss}, counts...)
	})
	if err != nil {
		return nil, err
	}
	s.apply, err = model.NewExec(n.backend, n.store, func(_ *model.Scope, rates []*Node) []*Node {
		g := rates[0].Graph()
		n.store.SetTraining(g, true)
		grads := opt.Flush(n.store, g, trained)
		norm := squaredNorm(grads)
		opt.Update(n.store, trained, opt.Clip(grads, norm), rates)
		return []*Node{norm}
	})
	if err != nil {
		return nil, err
	}
	return s, errors.Join(split.Configure(s.add, s.scalars, 1+watched), split.Configure(s.apply, 0, optim.NumScalars))
}

// gradients builds the part of a step's graphs that leads from a batch to gradients.
type gradients struct {
	n        *network
	s        *step
	loss     Loss
	weighted bool
	learner  bool // the network is a models.Learner
	opt      optim.Optimizer
	t        configs.Train
}

// of are the gradients of the variables that are trained, for the inputs of a step (see
// newStep); update is the number of the update, and counts are the loss's, if it has any.
func (b gradients) of(scope *model.Scope, in []*Node, update *Node) (vars []*model.Variable, sum *Node, grads, counts []*Node) {
	n, s := b.n, b.s
	backend.NoteCompilation()
	defer backend.UsePrecision(n.backend, b.t.Precision)()
	g := in[0].Graph()
	n.store.SetTraining(g, true)
	at := Moment{Update: update}
	if b.loss.ByClass {
		at.Learned = in[len(in)-1]
	}
	var present *Node
	if b.learner {
		present = in[s.scalars-1]
	}
	sum, count := n.loss(scope, in[0], present, at, b.loss, func(i int) (labels, weights *Node) {
		if b.weighted {
			weights = in[1+len(s.grids)+s.of[i]]
		}
		return in[1+s.of[i]], weights
	})
	if b.loss.ByClass {
		counts = []*Node{count}
	}
	vars = b.opt.Variables(n.store, g)
	nodes := make([]*Node, len(vars))
	for i, v := range vars {
		nodes[i] = v.NodeValue(g)
	}
	return vars, sum, Gradient(MulScalar(sum, 1/float64(b.t.Accumulate)), nodes...), counts
}

// loss is what a batch costs, and how far the network agrees with its labels
// (early.Counts), of the map to evaluate. present is models.Lesson's; maps are the
// labels and weights, nil for none, of a logit map.
func (n *network) loss(scope *model.Scope, images, present *Node, at Moment, loss Loss, maps func(i int) (labels, weights *Node)) (sum, counts *Node) {
	if own, ok := n.Segmenter.(models.Learner); ok {
		labels, weights := maps(0)
		lesson := models.Lesson{Images: images, Labels: labels, Weights: weights, Present: present, Update: at.Update, Learned: at.Learned,
			ClassWeights: loss.Weights}
		if loss.ByClass {
			lesson.Judge = func(logits, labels *Node) { counts = early.Counts(logits, labels) }
		}
		return own.Learn(scope, lesson), counts
	}
	for i, logits := range n.Logits(scope, images, true) {
		labels, weights := maps(i)
		var l *Node
		if own, ok := n.Segmenter.(models.Taught); ok {
			l = own.Loss(logits, labels)
		} else {
			l = loss.Mean(logits, labels, weights, at)
		}
		if sum == nil {
			sum = l
		} else {
			sum = Add(sum, l)
		}
		if loss.ByClass {
			counts = early.Counts(logits, labels)
		}
	}
	return sum, counts
}

// squaredNorm is the sum of the squares of all values. It is not finite
// exactly if one of them is not (or the training has long diverged).
func squaredNorm(nodes []*Node) *Node {
	sum := layers.SumSquares(nodes[0])
	for _, x := range nodes[1:] {
		sum = Add(sum, layers.SumSquares(x))
	}
	return sum
}

func (s *step) finalize() {
	for _, e := range []*model.Exec{s.whole, s.add, s.apply} {
		if e != nil {
			e.Finalize()
		}
	}
}
