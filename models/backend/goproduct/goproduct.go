// Package goproduct gives the go backend another product of float32 matrices.
// GoMLX's registry for them, dot.RegisterImplementation, is internal to its
// module (docs/upstream.md), so its table is reached by the linker's name and all
// else by reflection: where anything is not as expected, GoMLX's product stays.
package goproduct

import (
	"reflect"
	_ "unsafe" // for go:linkname

	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend" // fills the table before this package looks
)

// Product computes out = lhs·rhs for each of batch matrices: lhs is [m, k], rhs
// [k, n], or [n, k] if transposed, out [m, n]. parallel calls its argument in as
// many goroutines as the backend has free, workers of them being useful, and
// waits for all.
type Product func(workers int, parallel func(task func()), transposed bool, lhs, rhs, out []float32, batch, m, n, k int)

// key and implementation are dot.ImplementationKey and ImplementationRegistration.
type key struct {
	//lint:ignore U1000 GoMLX's layout
	layout        int
	input, output dtypes.DType
}

type implementation struct {
	name     string
	function any
	//lint:ignore U1000 GoMLX's layout
	priority int
}

// implementations is GoMLX's table.
//
//go:linkname implementations github.com/gomlx/compute/internal/gobackend/dot.registeredImplementations
var implementations map[key]*implementation

// signature is what the functions of the table look like for float32.
var signature = []string{"*gobackend.Backend", "dot.Layout", "[]float32", "[]float32", "int", "int", "int", "int", "[]float32", "*dot.NodeData"}

// Use makes p the product of graphs built from now on, and tells how many
// entries of the table it took, two where all is as expected. Call it while
// packages initialise.
func Use(name string, p Product) int {
	taken := 0
	for k, i := range implementations {
		if k.input != dtypes.Float32 || k.output != dtypes.Float32 || i == nil || !fits(reflect.TypeOf(i.function)) {
			continue
		}
		i.name = name
		i.function = reflect.MakeFunc(reflect.TypeOf(i.function), func(in []reflect.Value) []reflect.Value {
			workers, parallel := pool(in[0])
			floats := func(v reflect.Value) []float32 { return v.Interface().([]float32) }
			size := func(v reflect.Value) int { return int(v.Int()) }
			// dot.LayoutNonTransposed is 0, LayoutTransposed 1.
			p(workers, parallel, in[1].Int() == 1, floats(in[2]), floats(in[3]), floats(in[8]), size(in[4]), size(in[5]), size(in[6]), size(in[7]))
			return nil
		}).Interface()
		taken++
	}
	return taken
}

func fits(t reflect.Type) bool {
	if t == nil || t.Kind() != reflect.Func || t.NumIn() != len(signature) || t.NumOut() != 0 {
		return false
	}
	for i, want := range signature {
		if t.In(i).String() != want {
			return false
		}
	}
	return true
}

// pool is the workers of a backend, or the one that calls.
func pool(backend reflect.Value) (workers int, parallel func(task func())) {
	alone := func(task func()) { task() }
	w := backend.Elem().FieldByName("Workers")
	if !w.IsValid() || w.IsNil() {
		return 1, alone
	}
	most, ok := w.MethodByName("AdjustedMaxParallelism").Interface().(func() int)
	saturate, ok2 := w.MethodByName("Saturate").Interface().(func(func()))
	if !ok || !ok2 {
		return 1, alone
	}
	return most(), saturate
}
