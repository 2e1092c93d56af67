package backend

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestOpenAdds(t *testing.T) {
	specs := []string{"go"}
	if FindORT() != "" {
		specs = append(specs, "onnx")
	}
	for _, spec := range specs {
		t.Run(spec, func(t *testing.T) {
			b, err := Open(spec)
			if err != nil {
				t.Fatal(err)
			}
			exec := graph.MustNewExec(b, func(x *graph.Node) *graph.Node { return graph.Add(x, x) })
			got := exec.MustCall1(tensors.MustFromAnyValue([]float32{1, 2}))
			if v := got.Value().([]float32); v[0] != 2 || v[1] != 4 {
				t.Fatalf("1+1, 2+2 = %v", v)
			}
			if k := KindOf(b); string(k) != spec {
				t.Fatalf("KindOf = %s, want %s", k, spec)
			}
		})
	}
}

func TestOpenRejectsUnknown(t *testing.T) {
	_, err := Open("tpu")
	if err == nil || !strings.Contains(err.Error(), "allowed are") {
		t.Fatalf("error %v does not say what is allowed", err)
	}
}
