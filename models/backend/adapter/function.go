package adapter

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// Direct stands before a function of the go backend. An operation takes what is
// broadcast as it was before: GoMLX's own pass does so as well, but puts what it
// makes at the end of the graph, and what depends on it behind everything that
// does not: of a training step the whole backward pass, after the columns of all
// convolutions and the masks of all ReLUs that it will need at some time. And
// identities, reshapes of reshapes and reshapes to the shape that is there make
// no operation; in GoMLX they copy. Nor do transpositions that undo another one, or
// whose operand a product can take as it was before.
func Direct(f compute.Function) compute.Function {
	return &direct{Function: f, broadcasts: map[compute.Value]compute.Value{}, reshapes: map[compute.Value]compute.Value{}, transposed: map[compute.Value]transposition{}}
}

type direct struct {
	compute.Function
	parent     *direct
	parameters []compute.Value
	broadcasts map[compute.Value]compute.Value // to what was broadcast
	reshapes   map[compute.Value]compute.Value // to what was reshaped
	transposed map[compute.Value]transposition // to what was transposed, and how
}

// Parent is the function that a closure belongs to.
func (f *direct) Parent() compute.Function {
	if f.parent == nil {
		return f.Function.Parent()
	}
	return f.parent
}

// Closure makes a function within f.
func (f *direct) Closure() (compute.Function, error) {
	c, err := f.Function.Closure()
	if err != nil {
		return nil, err
	}
	d := Direct(c).(*direct)
	d.parent = f
	return d, nil
}

// behind is the function that a wrapped one stands before.
func behind(f compute.Function) compute.Function {
	if d, ok := f.(*direct); ok {
		return d.Function
	}
	return f
}

// Call calls g with inputs.
func (f *direct) Call(g compute.Function, inputs ...compute.Value) ([]compute.Value, error) {
	return f.Function.Call(behind(g), inputs...)
}

// Sort sorts along an axis.
func (f *direct) Sort(comparator compute.Function, axis int, isStable bool, inputs ...compute.Value) ([]compute.Value, error) {
	return f.Function.Sort(behind(comparator), axis, isStable, inputs...)
}

// While repeats body as long as cond holds.
func (f *direct) While(cond, body compute.Function, initial ...compute.Value) ([]compute.Value, error) {
	return f.Function.While(behind(cond), behind(body), initial...)
}

// If takes one of two branches.
func (f *direct) If(pred compute.Value, whenTrue, whenFalse compute.Function) ([]compute.Value, error) {
	return f.Function.If(pred, behind(whenTrue), behind(whenFalse))
}

// Parameter makes an input of the function.
func (f *direct) Parameter(name string, shape shapes.Shape, sharding *compute.ShardingSpec) (compute.Value, error) {
	v, err := f.Function.Parameter(name, shape, sharding)
	f.parameters = append(f.parameters, v)
	return v, err
}

// Return ends the function. What is a parameter, or returned twice, gets the
// identity that it has lost.
func (f *direct) Return(outputs []compute.Value, shardings []*compute.ShardingSpec) error {
	outputs = slices.Clone(outputs)
	for i, v := range outputs {
		if slices.Contains(outputs[:i], v) || slices.Contains(f.parameters, v) {
			var err error
			if outputs[i], err = f.Function.Identity(v); err != nil {
				return err
			}
		}
	}
	return f.Function.Return(outputs, shardings)
}

// Identity is x itself.
func (f *direct) Identity(x compute.Value) (compute.Value, error) { return x, nil }

// Reshape gives x other dimensions.
func (f *direct) Reshape(x compute.Value, dims ...int) (compute.Value, error) {
	if before, ok := f.reshapes[x]; ok {
		x = before
	}
	if s, err := f.Shape(x); err != nil || !s.IsDynamic() && slices.Equal(s.Dimensions, dims) {
		return x, err
	}
	y, err := f.Function.Reshape(x, dims...)
	if err == nil {
		f.reshapes[y] = x
	}
	return y, err
}

// BroadcastInDim is made, but used by operations that cannot broadcast themselves
// alone.
func (f *direct) BroadcastInDim(x compute.Value, to shapes.Shape, axes []int) (compute.Value, error) {
	y, err := f.Function.BroadcastInDim(x, to, axes)
	if err != nil || to.IsDynamic() {
		return y, err
	}
	if s, err := f.Shape(x); err == nil && (s.IsScalar() || s.Rank() == to.Rank()) {
		f.broadcasts[y] = x
	}
	return y, nil
}
