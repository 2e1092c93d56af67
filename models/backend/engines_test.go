package backend_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

func TestOpenAdds(t *testing.T) {
	for name, b := range backendtest.All(t, backendtest.Names(t)) {
		exec := graph.MustNewExec(b, func(x *graph.Node) *graph.Node { return graph.Add(x, x) })
		got := exec.MustCall1(tensors.MustFromAnyValue([]float32{1, 2}))
		if v := got.Value().([]float32); v[0] != 2 || v[1] != 4 {
			t.Errorf("%s: 1+1, 2+2 = %v", name, v)
		}
		if want, _, _ := strings.Cut(name, ":"); string(backend.KindOf(b)) != want {
			t.Errorf("%s: KindOf = %s", name, backend.KindOf(b))
		}
	}
}

func TestCheckPrecision(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		for precision, want := range map[string]string{
			"": "", "float32": "", "tf32": "NVIDIA",
			"bf16": map[backend.Kind]string{backend.ONNX: "computes no bfloat16"}[backend.KindOf(b)],
		} {
			err := backend.CheckPrecision(b, precision)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: error %v, want %q", precision, err, want)
			}
		}
	})
}

// TestCompileTime: what XLA compiles takes time that is known, on other engines
// none; running what is compiled takes none.
func TestCompileTime(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		exec := graph.MustNewExec(b, func(x *graph.Node) *graph.Node { return graph.Add(x, x) })
		for i, want := range []bool{backend.KindOf(b) == backend.XLA, false} {
			before := backend.CompileTime()
			if got := exec.MustCall([]float32{1, 2})[0].Value().([]float32); got[1] != 4 {
				t.Error(got)
			}
			if counted := backend.CompileTime() > before; counted != want {
				t.Errorf("call %d: counted %v", i+1, counted)
			}
		}
	})
}

// TestAtOnce: photos share runs on a GPU alone, unless the environment says so.
func TestAtOnce(t *testing.T) {
	b := backendtest.One(t)
	for env, want := range map[string]int{"": 1, "4": 4, "64": 64, "65": 0, "0": 0, "-1": 0, "many": 0} {
		t.Setenv(backend.EnvAtOnce, env)
		if got := backend.AtOnce(b, 100); want > 0 && got != want {
			t.Errorf("%q: %d photos at a time, want %d", env, got, want)
		}
		other, err := backend.Open("go")
		if (err != nil) != (want == 0) || err != nil && !strings.Contains(err.Error(), "WSSS_PHOTOS_AT_ONCE = \""+env+"\": allowed are 1..64") {
			t.Errorf("%q: error %v", env, err)
		}
		if err == nil {
			other.Finalize()
		}
	}
}
