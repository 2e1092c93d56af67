package onnximport

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestWeightsHeldOnce loads 64 MB of half-precision weights, 128 MB once
// widened, from a second file: all that is allocated meanwhile, garbage
// included, stays near one copy.
func TestWeightsHeldOnce(t *testing.T) {
	const side, count = 1024, 32
	g := &protos.GraphProto{
		Input:  []*protos.ValueInfoProto{portProto("x0", protos.TensorProto_FLOAT, "a", "b")},
		Output: []*protos.ValueInfoProto{portProto(fmt.Sprintf("x%d", count), protos.TensorProto_FLOAT, "a", "b")},
	}
	for i := range count {
		name := fmt.Sprintf("w%d", i)
		g.Initializer = append(g.Initializer, &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_FLOAT16), Dims: []int64{side, side},
			DataLocation: protos.TensorProto_EXTERNAL, ExternalData: []*protos.StringStringEntryProto{
				{Key: "location", Value: "w.bin"}, {Key: "offset", Value: fmt.Sprint(i * 2 * side * side)}, {Key: "length", Value: fmt.Sprint(2 * side * side)}}})
		g.Node = append(g.Node, n("MatMul", []string{fmt.Sprintf("x%d", i), name}, []string{fmt.Sprintf("x%d", i+1)}, nil))
	}
	path := writeModel(t, modelProto(g))
	side2 := filepath.Join(filepath.Dir(path), "w.bin")
	if err := os.WriteFile(side2, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(side2, 2*side*side*count); err != nil { // a file of zeros that takes no space
		t.Fatal(err)
	}
	r := runner(t, open(t, path, Options{}), RunnerOptions{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := r.Run(map[string]*tensors.Tensor{"x0": tensors.FromFlatDataAndDimensions(make([]float32, side), 1, side)}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const weights = 4 * side * side * count
	if got := after.TotalAlloc - before.TotalAlloc; got > weights*5/4 {
		t.Errorf("%d MB allocated for %d MB of weights", got>>20, weights>>20)
	}
}
