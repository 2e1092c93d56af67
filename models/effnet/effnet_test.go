package effnet

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/datatest"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights"
	"wsss/models/weights/weightstest"
)

// testdata/gen_effnet.py wrote the files with PyTorch.
var narrow = Config{Width: 0.1}

// differ is the largest difference relative to the largest value.
func differ(t *testing.T, got []float32, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	worst, top := 0.0, 0.0
	for i := range got {
		worst = max(worst, math.Abs(float64(got[i]-want[i])))
		top = max(top, math.Abs(float64(want[i])))
	}
	return worst / top
}

// planar is a [1, h, w, c] tensor as PyTorch orders it.
func planar(x *tensors.Tensor) []float32 {
	v, d := tensors.MustCopyFlatData[float32](x), x.Shape().Dimensions
	if len(d) != 4 {
		return v
	}
	out := make([]float32, len(v))
	for i := range v {
		out[i%d[3]*d[1]*d[2]+i/d[3]] = v[i]
	}
	return out
}

func reference(t *testing.T, f weights.Source, name string) []float32 {
	t.Helper()
	x, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](x)
}

// TestParity: stages, logits and gradients of a narrow network within 1e-4 of
// PyTorch's, for sides that strides divide and others, and with a dilated last
// stage.
func TestParity(t *testing.T) {
	ref := weightstest.Open(t, "testdata/parity.pth")
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		store, err := narrow.Build(5, 1)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(store.RootScope(), weightstest.Open(t, "testdata/narrow.pth"))
		if err != nil || len(m.Missing)+len(m.Unused)+len(m.Differ) > 0 {
			t.Fatalf("%v: %s", err, m)
		}
		check := func(name string, got []float32) {
			t.Helper()
			err := differ(t, got, reference(t, ref, name))
			t.Logf("%s: %.1e", name, err)
			if !(err <= 1e-4) {
				t.Errorf("%s differs by %.1e", name, err)
			}
		}
		run := func(h, w int, fn func(scope *model.Scope, x *Node) []*Node) []*tensors.Tensor {
			t.Helper()
			exec, err := model.NewExec(b, store, fn)
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			out, err := exec.Call(weightstest.Picture(h, w))
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		for name, size := range map[string][2]int{"even": {64, 96}, "odd": {45, 67}} {
			out := run(size[0], size[1], func(scope *model.Scope, x *Node) []*Node {
				s := narrow.Stages(layers.Net{}, scope, x)
				logits := narrow.Classify(layers.Net{}, scope, narrow.Head(layers.Net{}, scope, s[Stage32]), 5)
				return append(s[:], logits)
			})
			for i := range Stages {
				check(fmt.Sprintf("stage%d.%s", i, name), planar(out[i]))
				if c := out[i].Shape().Dim(3); c != narrow.Channels(i) {
					t.Errorf("stage %d has %d channels, Channels says %d", i, c, narrow.Channels(i))
				}
			}
			check("logits."+name, tensors.MustCopyFlatData[float32](out[Stages]))
		}
		dilated := narrow
		dilated.OutputStride = 16
		check("dilated", planar(run(45, 67, func(scope *model.Scope, x *Node) []*Node {
			return []*Node{dilated.Stages(layers.Net{}, scope, x)[Stage32]}
		})[0]))
		learn := []string{"_conv_stem.weight", "_blocks.1._depthwise_conv.weight", "_blocks.6._expand_conv.weight", "_blocks.15._project_conv.weight", "_fc.weight"}
		grads := run(45, 67, func(scope *model.Scope, x *Node) []*Node {
			store.SetTraining(x.Graph(), true)
			logits := narrow.Classify(layers.Net{}, scope, narrow.Head(layers.Net{}, scope, narrow.Stages(layers.Net{}, scope, x)[Stage32]), 5)
			var at []*Node
			for _, name := range learn {
				at = append(at, store.GetVariable("/"+strings.ReplaceAll(name, ".", "/")).NodeValue(x.Graph()))
			}
			return Gradient(ReduceAllSum(Mul(logits, Const(x.Graph(), [][]float32{{1, -1, 2, -2, 0.5}}))), at...)
		})
		for i, name := range learn {
			g, err := layers.ToTorch(grads[i])
			if err != nil {
				t.Fatal(err)
			}
			check("grad."+name, tensors.MustCopyFlatData[float32](g))
		}
	})
}

// TestRealWeights: the published networks give PyTorch's logits.
func TestRealWeights(t *testing.T) {
	var want map[string][]float32
	datatest.JSON(t, "testdata/real.json", &want)
	for _, n := range []int{0, 2} {
		src := weightstest.Open(t, datatest.Real(t, fmt.Sprintf("efficientnet-lite%d.pth", n)))
		c, classes, ok, err := Detect(src)
		if lite, _ := Lite(n); err != nil || !ok || c != lite || classes != 1000 {
			t.Fatalf("lite%d: %+v, %d classes, %v, %v", n, c, classes, ok, err)
		}
		backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
			store, err := c.Build(classes, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Load(store.RootScope(), src); err != nil {
				t.Fatal(err)
			}
			exec, err := model.NewExec1(b, store, func(scope *model.Scope, x *Node) *Node {
				return c.Classify(layers.Net{}, scope, c.Head(layers.Net{}, scope, c.Stages(layers.Net{}, scope, x)[Stage32]), classes)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			out, err := exec.Call1(weightstest.Picture(lite[n].side, lite[n].side))
			if err != nil {
				t.Fatal(err)
			}
			worst := differ(t, tensors.MustCopyFlatData[float32](out), want[fmt.Sprintf("lite%d", n)])
			t.Logf("lite%d: %.1e", n, worst)
			if !(worst <= 1e-4) {
				t.Errorf("lite%d differs by %.1e", n, worst)
			}
		})
	}
}

// TestLayouts: channels and blocks of the published variants.
func TestLayouts(t *testing.T) {
	want := []string{"[16 24 40 112 320] 16", "[16 24 40 112 320] 21", "[16 24 48 120 352] 21", "[24 32 48 136 384] 24", "[24 32 56 160 448] 30"}
	for n := range lite {
		c, err := Lite(n)
		if err != nil {
			t.Fatal(err)
		}
		var channels []int
		for s := range Stages {
			channels = append(channels, c.Channels(s))
		}
		if got := fmt.Sprint(channels, c.blocks()); got != want[n] {
			t.Errorf("lite%d: %s, want %s", n, got, want[n])
		}
	}
	if _, err := Lite(5); err == nil {
		t.Error("lite5 exists")
	}
	for _, bad := range []Config{{OutputStride: 4}, {Width: -1}, {DropConnect: 1}} {
		if bad.Check() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// TestForeignFiles: files of other networks are told apart, and named.
func TestForeignFiles(t *testing.T) {
	src := weightstest.Open(t, "testdata/parity.pth")
	if _, _, ok, err := Detect(src); ok || err != nil {
		t.Errorf("parity.pth: %v, %v", ok, err)
	}
	if _, _, ok, err := Detect(weightstest.Open(t, "testdata/narrow.pth")); ok || err == nil || !strings.Contains(err.Error(), "16 blocks") {
		t.Errorf("a tenth of the width: %v, %v", ok, err)
	}
	store, err := narrow.Build(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(store.RootScope(), src); err == nil || !strings.Contains(err.Error(), "lacks") {
		t.Errorf("a file of other tensors: %v", err)
	}
}
