package camnet

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights/formats"
	"wsss/models/weights/weightstest"
)

// testdata/gen_camnet.py wrote the files with PyTorch.
const checkpoint = "testdata/res50_cam.pth"

func eachBackend(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	backendtest.Each(t, backendtest.Names(t), test)
}

// differ is the largest difference relative to the largest value.
func differ(t *testing.T, got, want *tensors.Tensor) float64 {
	t.Helper()
	a, b := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	if len(a) != len(b) {
		t.Fatalf("shapes %s and %s", got.Shape(), want.Shape())
	}
	worst, top := 0.0, 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i]-b[i])))
		top = max(top, math.Abs(float64(b[i])))
	}
	return worst / top
}

// TestParity: logits, maps and gradients of a network read from a file with
// IRN's names, within 1e-4 of PyTorch's.
func TestParity(t *testing.T) {
	f := weightstest.Open(t, "testdata/parity.pth")
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		n, err := New(Config{Backbone: "resnet50", Width: 1.0 / 32, StrideIn: "3x3", BatchNorm: Running, CutAfter: 2, Classes: 3})
		if err != nil {
			t.Fatal(err)
		}
		store, err := n.Build(1)
		if err != nil {
			t.Fatal(err)
		}
		src, err := formats.Open(checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		m, err := n.Load(store.RootScope(), src)
		if err != nil || len(m.Missing)+len(m.Differ) > 0 || len(m.Pairs) != 53*5+1 {
			t.Fatalf("%v: %s", err, m)
		}
		const module = "resnet50."
		wanted := []string{"layer4.2.conv3.weight", "layer3.0.bn1.weight", "layer3.0.bn1.bias", "layer3.0.downsample.0.weight", "classifier.weight"}
		exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
			g := in[0].Graph()
			store.SetTraining(g, true)
			logits := n.Logits(scope, in[0], true)
			zero := Zeros(g, logits.Shape())
			// The multilabel soft margin, written out.
			soft := func(x *Node) *Node { return Sub(Log1P(Exp(Neg(Abs(x)))), Min(x, zero)) }
			loss := ReduceAllMean(Add(Mul(soft(logits), in[1]), Mul(soft(Neg(logits)), OneMinus(in[1]))))
			var at []*Node
			for _, name := range wanted {
				path := "/" + strings.ReplaceAll(name, ".", "/")
				if name != "classifier.weight" {
					path = "/backbone" + path
				}
				at = append(at, store.GetVariable(path).NodeValue(g))
			}
			return append([]*Node{logits, n.Maps(nil, scope, in[0])}, Gradient(loss, at...)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(weightstest.Tensor(t, f, "images"), weightstest.Tensor(t, f, "targets"))
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range append([]string{"logits", "maps"}, wanted...) {
			got, from := out[i], name
			if i >= 2 {
				if from = "grad/" + module + name; name == "classifier.weight" {
					from = "grad/" + name
				}
				if got, err = layers.ToTorch(got); err != nil {
					t.Fatal(err)
				}
			}
			d := differ(t, got, weightstest.Tensor(t, f, from))
			if d > 1e-4 {
				t.Errorf("%s differs by %.1e of its largest value", from, d)
			}
			t.Logf("%s: %.1e", from, d)
		}
	})
}

func TestGroups(t *testing.T) {
	for norm, want := range map[string][4]int{ // variables per group: frozen, backbone, head, biases
		Running: {53*2 + 24*3, 87, 1, 0},
		Frozen:  {53*5 - 29, 29, 1, 0},
	} {
		n, err := New(Config{Backbone: "resnet50", Width: 1.0 / 32, StrideIn: "3x3", BatchNorm: norm, CutAfter: 2, Classes: 3})
		if err != nil {
			t.Fatal(err)
		}
		store, err := n.Build(1)
		if err != nil {
			t.Fatal(err)
		}
		var got [4]int
		for v := range store.IterVariables() {
			if v.Path() != "/"+model.RNGStateVariableName {
				got[n.Group(v.Path())]++
			}
		}
		if got != want {
			t.Errorf("%s: %v variables, want %v", norm, got, want)
		}
	}
	n, _ := New(Config{Backbone: "resnet18", Width: 1, StrideIn: "3x3", BatchNorm: Train, Classes: 3})
	for path, want := range map[string]models.Group{
		"/backbone/conv1/weight": models.GroupBackbone, "/backbone/bn1/bias": models.GroupBackbone, "/backbone/bn1/running_var": models.GroupFrozen, "/classifier/weight": models.GroupHead,
	} {
		if got := n.Group(path); got != want {
			t.Errorf("%s: group %d, want %d", path, got, want)
		}
	}
}

// TestSave: what is saved reads back to the same network, and the layout of a
// file is told from it.
func TestSave(t *testing.T) {
	n, store, classes, err := Open(checkpoint)
	if err != nil || classes != nil {
		t.Fatal(err, classes)
	}
	if c := n.Config(); c.Backbone != "resnet50" || c.Width != 1.0/32 || c.Classes != 3 {
		t.Errorf("detected %+v", c)
	}
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	names := []string{"background", "a", "b", "c"}
	if err := n.Save(path, store.RootScope(), names); err != nil {
		t.Fatal(err)
	}
	again, other, classes, err := Open(path)
	if err != nil || !slices.Equal(classes, names) || again.Config() != n.Config() {
		t.Fatalf("%v: %+v, classes %v", err, again, classes)
	}
	for v := range store.IterVariables() {
		if w := other.GetVariable(v.Path()); w == nil || !v.MustValue().Equal(w.MustValue()) {
			t.Errorf("%s differs", v.Path())
		}
	}
	src, err := formats.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, name := range []string{"conv1.weight", "layer4.2.bn3.running_var", "classifier.weight"} {
		if !slices.Contains(src.Names(), name) {
			t.Errorf("no tensor %s", name)
		}
	}
	if _, _, _, err := Open("testdata/parity.pth"); err == nil || !strings.Contains(err.Error(), "classifier.weight") {
		t.Errorf("a file without a network: %v", err)
	}
	for _, c := range []Config{{Backbone: "alexnet", StrideIn: "3x3", BatchNorm: Train, Classes: 2}, {Backbone: "resnet50", StrideIn: "2x2", BatchNorm: Train, Classes: 2}, {Backbone: "resnet50", StrideIn: "3x3", BatchNorm: "batch", Classes: 2}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
