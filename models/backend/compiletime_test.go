package backend

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"wsss/models/backend/nativelib"
)

// TestCompileTime: what XLA compiles takes time that is known, on other engines
// none; running what is compiled takes none.
func TestCompileTime(t *testing.T) {
	double := func(spec string) (first, second bool) {
		b, err := Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Finalize()
		exec := graph.MustNewExec(b, func(x *graph.Node) *graph.Node { return graph.Add(x, x) })
		run := func() bool {
			before := CompileTime()
			if got := exec.MustCall([]float32{1, 2})[0].Value().([]float32); got[1] != 4 {
				t.Errorf("%s: %v", spec, got)
			}
			return CompileTime() > before
		}
		return run(), run()
	}
	specs := []string{"go"}
	if _, err := nativelib.XLACPU.Find(); err == nil {
		specs = append(specs, "xla:cpu")
	}
	for _, spec := range specs {
		if first, second := double(spec); first != strings.HasPrefix(spec, "xla") || second {
			t.Errorf("%s: counted %v, again %v", spec, first, second)
		}
	}
}
