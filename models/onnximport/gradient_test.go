package onnximport

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// TestGraphGradient compares the slope of a loss along a random direction of
// every weight with the gradient through the imported graph.
func TestGraphGradient(t *testing.T) {
	for name, b := range engines(t) {
		for _, export := range []string{"clip_image", "clip_text", "sam_encoder"} {
			t.Run(name+"/"+export, func(t *testing.T) { checkGradient(t, b, "testdata/exports/"+export) })
		}
	}
}

func checkGradient(t *testing.T, b compute.Backend, base string) {
	m := open(t, base+".onnx", Options{})
	inputs := readInputs(t, base+".json")
	name := m.Inputs()[0].Name
	store := model.NewStore()
	vars := func() []*model.Variable {
		var all []*model.Variable
		for v := range store.IterVariables() {
			if v.Trainable {
				all = append(all, v)
			}
		}
		slices.SortFunc(all, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
		return all
	}
	loss := func(scope *model.Scope, x *graph.Node) *graph.Node {
		y := m.Graph(scope, map[string]*graph.Node{name: x}, nil)[0]
		return graph.ReduceAllSum(graph.Mul(y, graph.Sin(graph.Iota(x.Graph(), y.Shape(), y.Rank()-1))))
	}
	value, err := model.NewExec(b, store, loss)
	if err != nil {
		t.Fatal(err)
	}
	gradient, err := model.NewExec(b, store, func(scope *model.Scope, x *graph.Node) []*graph.Node {
		l := loss(scope, x)
		var nodes []*graph.Node
		for _, v := range vars() {
			nodes = append(nodes, v.NodeValue(x.Graph()))
		}
		return graph.Gradient(l, nodes...)
	})
	if err != nil {
		t.Fatal(err)
	}
	x := inputs[name]
	grads, err := gradient.Exec(x)
	if err != nil {
		t.Fatal(err)
	}
	all := vars()
	if len(all) < 10 || len(grads) != len(all) {
		t.Fatalf("%d trainable weights, %d gradients", len(all), len(grads))
	}
	r := rand.New(rand.NewPCG(1, 2))
	directions := make([][]float64, len(all))
	slope := 0.0
	for i, v := range all {
		g := asFloats(grads[i])
		directions[i] = make([]float64, len(g))
		for k := range g {
			directions[i][k] = r.NormFloat64()
			slope += g[k] * directions[i][k]
		}
		if v.Shape().Size() != len(g) {
			t.Fatalf("gradient of %s has %d elements", v.Path(), len(g))
		}
	}
	at := func(step float64) float64 {
		for i, v := range all {
			old := asFloats(v.MustValue())
			moved := make([]float32, len(old))
			for k := range old {
				moved[k] = float32(old[k] + step*directions[i][k])
			}
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
				t.Fatal(err)
			}
		}
		out, err := value.Exec(x)
		if err != nil {
			t.Fatal(err)
		}
		return float64(tensors.ToScalar[float32](out[0]))
	}
	const h = 1e-3
	up := at(h)
	down := at(-2 * h)
	if numeric := (up - down) / (2 * h); math.Abs(numeric-slope) > 0.02*math.Abs(slope)+0.02 {
		t.Errorf("slope %g, measured %g", slope, numeric)
	}
}
