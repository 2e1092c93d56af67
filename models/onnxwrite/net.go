package onnxwrite

import (
	"fmt"
	"math"
)

// Weights are those of a network by their state-dict names, kernels as [out, in,
// kh, kw].
type Weights interface {
	HasWeight(name string) bool
	// WeightShape is that of a weight of so many axes; zeros where it is missing or
	// of others, which is an error of the graph.
	WeightShape(name string, rank int) []int
	// Weight is a constant of the graph.
	Weight(name string) Value
}

// Net writes the layers of a network, its weights by name.
type Net struct {
	*Builder
	Weights
}

// NewNet is a Net whose weights are those of the builder.
func NewNet(b *Builder) *Net { return &Net{b, builderWeights{b, map[string][]int{}}} }

// builderWeights are the weights of a builder; shapes are those that were read.
type builderWeights struct {
	b      *Builder
	shapes map[string][]int
}

func (w builderWeights) HasWeight(name string) bool {
	if w.shapes[name] != nil {
		return true
	}
	t, err := w.b.weight(name)
	if err != nil {
		return false
	}
	w.shapes[name] = t.Shape().Dimensions
	return true
}

func (w builderWeights) WeightShape(name string, rank int) []int {
	if !w.HasWeight(name) || len(w.shapes[name]) != rank {
		if w.b.err == nil {
			w.b.err = fmt.Errorf("no weight %s of %d axes", name, rank)
		}
		return make([]int, rank)
	}
	return w.shapes[name]
}

func (w builderWeights) Weight(name string) Value {
	if !w.b.Has(Value(name)) {
		if flat, dims := w.b.values(name); flat != nil {
			w.b.Floats(name, flat, dims...)
		}
	}
	return Value(name)
}

// Need is the operator set that the graph needs at least, 13 to 17.
func (b *Builder) Need(opset int) { b.opset = max(b.opset, opset) }

// Sub is the name of one of a list of modules.
func Sub(module string, i int) string { return fmt.Sprintf("%s.%d", module, i) }

// Dim is the length of an axis, int64 [1].
func (n *Net) Dim(x Value, axis int) Value {
	return n.SliceAxis(n.Op("Shape", list(x)), 0, axis, axis+1)
}

// Shaped is Reshape with dimensions that the graph computes: each an int or a
// Value, int64 [1].
func (n *Net) Shaped(x Value, dims ...any) Value {
	var parts []Value
	var run []int
	flush := func() {
		if len(run) > 0 {
			parts, run = append(parts, n.Ints(run...)), nil
		}
	}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			run = append(run, d)
		case Value:
			flush()
			parts = append(parts, d)
		default:
			panic(fmt.Sprintf("dimension of type %T", d))
		}
	}
	flush()
	return n.Op("Reshape", list(x, n.Concat(0, parts...)))
}

// PadTo pads rows and columns of [batch, height, width, channels] with zeros,
// below and on the right, to multiples of step.
func (n *Net) PadTo(x Value, step int) Value {
	missing := func(axis int) Value {
		d := n.Dim(x, axis)
		over := n.Op("Mod", list(d, n.Ints(step)))
		return n.Op("Mod", list(n.Op("Sub", list(n.Ints(step), over)), n.Ints(step)))
	}
	pads := n.Concat(0, n.Ints(0, 0, 0, 0, 0), missing(1), missing(2), n.Ints(0))
	return n.Op("Pad", list(x, pads))
}

// Roll moves rows and columns of [batch, height, width, channels] up and left,
// around the edge; a negative shift moves them back.
func (n *Net) Roll(x Value, shift int) Value {
	for axis := 1; axis <= 2; axis++ {
		x = n.Concat(axis, n.SliceAxis(x, axis, shift, math.MaxInt32), n.SliceAxis(x, axis, 0, shift))
	}
	return x
}

// GroupNorm normalises the channels of x [batch, channels, height, width] in so
// many groups.
func (n *Net) GroupNorm(x Value, module string, groups int) Value {
	c := n.WeightShape(module+".weight", 1)[0]
	one, zero := make([]float32, groups), make([]float32, groups)
	for i := range one {
		one[i] = 1
	}
	unit := fmt.Sprintf("groups_%d", len(n.Graph.Initializer))
	y := n.Op("InstanceNormalization", list(n.Reshape(x, 0, groups, -1), n.Floats(unit+"_scale", one, groups), n.Floats(unit+"_bias", zero, groups)), A("epsilon", 1e-5))
	y = n.Op("Reshape", list(y, n.Op("Shape", list(x))))
	return n.Add(n.Mul(y, n.Reshape(n.Weight(module+".weight"), 1, c, 1, 1)), n.Reshape(n.Weight(module+".bias"), 1, c, 1, 1))
}
