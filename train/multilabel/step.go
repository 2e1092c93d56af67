package multilabel

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data"
	"wsss/models/backend"
	"wsss/train/parallel"
)

// Step is a compiled update of a network.
type Step struct {
	exec *model.Exec
	host Host // nil: the graph updates the weights
	vars []*model.Variable
	net  Net
	b    compute.Backend
	on   *parallel.Devices
}

// Host is a Net that can update its weights on the host as well. Where the
// engine computes there, in memory that both share, that is one pass over the
// weights in their place, where a graph takes a dozen and makes new ones.
type Host interface {
	Net
	// Moments lists the optimiser's state of a variable.
	Moments(v *model.Variable) []*model.Variable
	// UpdateHost is Update for a run of a variable's values with their gradients
	// and moments.
	UpdateHost(v *model.Variable, values, grads []float32, moments [][]float32, scalars []float32)
}

// Precise is a Net whose update has a precision of its own, one that
// backend.CheckPrecision allows.
type Precise interface{ Precision() string }

// newStep prepares the graph; it compiles on the first call.
func newStep(b compute.Backend, net Net, devices *parallel.Devices) (*Step, error) {
	s := &Step{net: net, b: b, on: devices}
	if host, ok := net.(Host); ok && backend.KindOf(b) != backend.XLA && b.HasSharedBuffers() {
		s.host = host
	}
	store := net.Store()
	var err error
	s.exec, err = model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		if p, ok := net.(Precise); ok {
			defer backend.UsePrecision(b, p.Precision())()
		}
		g := in[0].Graph()
		// Otherwise some backends would compile the moments in as constants.
		store.SetTraining(g, true)
		var cost *Node
		if c, ok := net.(Coster); ok {
			cost = c.Cost(scope, in[0], in[1], in[2])
		} else {
			cost = net.Loss().Cost(net.Logits(scope, in[0], true), in[1], in[2])
		}
		s.vars = net.Trained(g)
		nodes := make([]*Node, len(s.vars))
		for i, v := range s.vars {
			nodes[i] = v.NodeValue(g)
		}
		grads := Gradient(cost, nodes...)
		if s.host != nil {
			return append([]*Node{cost}, grads...)
		}
		norm := ReduceAllSum(Square(grads[0]))
		for _, g := range grads[1:] {
			norm = Add(norm, ReduceAllSum(Square(g)))
		}
		net.Update(s.vars, grads, in[3:])
		return []*Node{cost, Sqrt(norm)}
	})
	if err != nil {
		return nil, err
	}
	const divided = 3 // images, targets, known
	return s, devices.Configure(s.exec, divided, len(net.Scalars(0, 1, 1)))
}

// Finalize frees the compiled graph.
func (s *Step) Finalize() { s.exec.Finalize() }

// Place gives a batch of images, targets and known the form in which Run takes
// it: on the devices, where they have a memory of their own.
func (s *Step) Place(images, targets, known *tensors.Tensor) (*parallel.Inputs, error) {
	batch := []*tensors.Tensor{images, targets, known}
	if backend.KindOf(s.b) != backend.XLA {
		return parallel.Local(batch), nil
	}
	return s.on.Upload(s.b, batch)
}

// Run makes one update with a batch and the network's Scalars. It returns the
// loss and the norm of the gradient.
func (s *Step) Run(batch *parallel.Inputs, scalars []float32) (loss, norm float64, err error) {
	in := slices.Clip(batch.Args)
	if s.host == nil {
		rates := make([]any, len(scalars))
		for i, v := range scalars {
			rates[i] = v
		}
		if rates, err = s.on.Scalars(rates); err != nil {
			return 0, 0, err
		}
		in = append(in, rates...)
		out, err := Call(s.exec, in...)
		if err != nil {
			return 0, 0, err
		}
		return float64(out[0][0]), float64(out[1][0]), nil
	}
	out, err := call(s.exec, in...)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		for _, t := range out {
			_ = t.FinalizeAll()
		}
	}()
	first, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return 0, 0, err
	}
	square := 0.0
	for i, v := range s.vars {
		more, err := s.update(v, out[1+i], scalars)
		if err != nil {
			return 0, 0, fmt.Errorf("update of %s: %w", v.Path(), err)
		}
		square += more
	}
	return float64(first[0]), math.Sqrt(square), nil
}

// update gives a variable its new values, and returns the sum of the squares
// of its gradient.
func (s *Step) update(v *model.Variable, grad *tensors.Tensor, scalars []float32) (square float64, err error) {
	moments := s.host.Moments(v)
	if err := s.share(v); err != nil {
		return 0, err
	}
	flat := make([][]float32, 1+len(moments))
	for i, m := range append([]*model.Variable{v}, moments...) {
		t, err := m.Value()
		if err != nil {
			return 0, err
		}
		// Nobody else uses the values meanwhile.
		if err := tensors.MutableFlatData(t, func(values []float32) { flat[i] = values }); err != nil {
			return 0, err
		}
	}
	err = tensors.ConstFlatData(grad, func(grads []float32) {
		square = runs(len(grads), func(from, to int) float64 {
			part := make([][]float32, len(moments))
			for i := range part {
				part[i] = flat[1+i][from:to]
			}
			sum := 0.0
			for _, g := range grads[from:to] {
				sum += float64(g) * float64(g)
			}
			s.host.UpdateHost(v, flat[0][from:to], grads[from:to], part, scalars)
			return sum
		})
	})
	return square, err
}

// share moves a variable's values to memory that the engine reads them from,
// where they are not there yet.
func (s *Step) share(v *model.Variable) error {
	t, err := v.Value()
	if err != nil || t.IsShared() {
		return err
	}
	moved, err := tensors.FromShapeForBackend(s.b, 0, t.Shape())
	if err != nil {
		return err
	}
	err = t.ConstBytes(func(from []byte) {
		err = moved.MutableBytes(func(to []byte) { copy(to, from) })
	})
	if err != nil {
		return err
	}
	return v.SetValue(moved)
}

// runLength is how many values one goroutine updates at a time. Sums are made
// run by run, so that they do not depend on the number of goroutines.
const runLength = 1 << 16

// runs calls f for the runs of n values, some at a time, and returns the sum of
// its results.
func runs(n int, f func(from, to int) float64) float64 {
	sums := make([]float64, (n+runLength-1)/runLength)
	_ = data.Parallel(context.Background(), len(sums), nil, func(i int) error {
		sums[i] = f(i*runLength, min((i+1)*runLength, n))
		return nil
	})
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}
