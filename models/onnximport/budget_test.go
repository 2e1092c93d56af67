package onnximport

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/legalise"
)

// small is a graph with one input x of the given shape and one output y.
func small(dims []int64, nodes ...*protos.NodeProto) *protos.ModelProto {
	port := func(name string, dims []int64) *protos.ValueInfoProto {
		shape := &protos.TensorShapeProto{}
		for _, d := range dims {
			shape.Dim = append(shape.Dim, &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
			TensorType: &protos.TypeProto_Tensor{ElemType: int32(legalise.Float), Shape: shape}}}}
	}
	y := port("y", nil)
	y.Type.GetTensorType().Shape = nil
	return &protos.ModelProto{IrVersion: 8, OpsetImport: []*protos.OperatorSetIdProto{{Version: 17}}, Graph: &protos.GraphProto{
		Name: "small", Node: nodes, Input: []*protos.ValueInfoProto{port("x", dims)}, Output: []*protos.ValueInfoProto{y}}}
}

func op(name, out string, in ...string) *protos.NodeProto {
	return &protos.NodeProto{OpType: name, Name: out, Input: in, Output: []string{out}}
}

// concat joins values along the first axis.
func concat(out string, in ...string) *protos.NodeProto {
	n := op("Concat", out, in...)
	n.Attribute = []*protos.AttributeProto{attrProto("axis", 0)}
	return n
}

// doubling makes y from x by so many doublings, of which each is used again.
func doubling(times int) (nodes []*protos.NodeProto) {
	last := "x"
	for i := range times {
		next := fmt.Sprint("d", i)
		nodes = append(nodes, concat(next, last, last))
		last = next
	}
	return append(nodes, op("Relu", "y", last))
}

// wide makes y from so many copies of x doubled to 2^28 elements, all of which
// are needed at one time.
func wide(copies int) []*protos.NodeProto {
	nodes := doubling(28)
	nodes = nodes[:28]
	var all []string
	for i := range copies {
		name := fmt.Sprint("c", i)
		nodes = append(nodes, op("Relu", name, "d27"))
		all = append(all, name)
	}
	sum := all[0]
	for i, c := range all[1:] {
		next := fmt.Sprint("s", i)
		nodes = append(nodes, op("Add", next, sum, c))
		sum = next
	}
	return append(nodes, op("Relu", "y", sum))
}

// TestBudget: a graph that would need more memory than any published one is
// refused, with the node and the size, before anything of it is computed, and
// is not handed on to ONNX Runtime.
func TestBudget(t *testing.T) {
	shape := constantInts("n", 1<<15, 1<<14)
	for name, c := range map[string]struct {
		model *protos.ModelProto
		want  string
	}{
		"doubling":        {small([]int64{1}, doubling(34)...), "(Concat)"},
		"many at a time":  {small([]int64{1}, wide(16)...), "the graph, at node"},
		"ConstantOfShape": {small([]int64{1}, shape, op("ConstantOfShape", "c", "n"), op("Add", "y", "c", "x")), "allowed are 2.1 GB"},
		"input":           {small([]int64{1, 3, 1 << 31, 1}, op("Relu", "y", "x")), "allowed are 2.1 GB"},
		"overflow":        {small([]int64{1, 3, 1 << 40, 1 << 40}, op("Relu", "y", "x")), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Open(writeModel(t, c.model), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := m.Inspect(nil)
			runtime.ReadMemStats(&after)
			var text strings.Builder
			r.Write(&text)
			if r.Importable() || !strings.Contains(text.String(), c.want) {
				t.Errorf("the report lacks %q:\n%s", c.want, &text)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 64 {
				t.Errorf("%d MB allocated", took)
			}
			if name == "input" || name == "overflow" {
				return // nobody can hand over such a tensor
			}
			for spec, b := range backendtest.All(t, backendtest.Names(t)) {
				runner, err := NewRunner(b, m, RunnerOptions{})
				if err != nil {
					t.Fatal(err)
				}
				_, err = runner.Run(map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{1}, 1)})
				var large *legalise.TooLarge
				if !errors.As(err, &large) || runner.Whole() {
					t.Errorf("%s: %v, want a TooLarge and no other engine", spec, err)
				}
				runner.Close()
			}
		})
	}
}

// constantInts is a Constant node of integers.
func constantInts(name string, values ...int) *protos.NodeProto {
	n := op("Constant", name)
	n.Attribute = []*protos.AttributeProto{attrProto("value_ints", legalise.Ints(values...))}
	return n
}

// TestOnlyKnownSets: ops of other domains are other ops whatever they are
// called, and operator sets that do not exist are refused.
func TestOnlyKnownSets(t *testing.T) {
	evil := op("Relu", "y", "x")
	evil.Domain = "com.evil"
	m, err := Open(writeModel(t, small([]int64{4}, evil)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r := m.Inspect(nil); r.Importable() || !strings.Contains(fmt.Sprint(r.Failed["Relu"]), "com.evil.Relu is not supported") {
		t.Errorf("an op of another domain: %v", r.Failed)
	}
	for _, version := range []int64{0, -1, 1 << 40} {
		p := small([]int64{4}, op("Relu", "y", "x"))
		p.OpsetImport[0].Version = version
		if m, err := Open(writeModel(t, p), Options{}); err == nil {
			m.Close()
			t.Errorf("operator set %d was taken", version)
		} else if !strings.Contains(err.Error(), "operator set") {
			t.Errorf("operator set %d: %v", version, err)
		}
	}
	if m, err := Open(writeModel(t, small(make([]int64, 100_000), op("Relu", "y", "x"))), Options{}); err == nil {
		m.Close()
		t.Error("an input of rank 100,000 was taken")
	} else if len(err.Error()) > 400 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// TestManyNumbers: numbers that take little room in a file and much in memory
// are counted while it is read.
func TestManyNumbers(t *testing.T) {
	n := op("Relu", "y", "x")
	n.Attribute = []*protos.AttributeProto{attrProto("axes", make([]int64, 9<<20))}
	p := small([]int64{4}, n)
	p.Graph.Initializer = []*protos.TensorProto{{Name: "w", DataType: int32(legalise.Float), Dims: make([]int64, 9<<20)}}
	for name, p := range map[string]*protos.ModelProto{"attribute": small([]int64{4}, n), "dimensions": {Graph: &protos.GraphProto{
		Initializer: p.Graph.Initializer, Output: p.Graph.Output, Node: []*protos.NodeProto{op("Relu", "y", "x")}, Input: p.Graph.Input}}} {
		path := writeModel(t, p)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Open(path, Options{})
		runtime.ReadMemStats(&after)
		if err == nil {
			m.Close()
			t.Errorf("%s: opened", name)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 128 {
			t.Errorf("%s: %d MB allocated", name, took)
		}
	}
}
