package effnet

import (
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights/weightstest"
)

// small is Lite 0 of an eighth of the width, as a backbone.
func small(t *testing.T, o models.BackboneOptions) models.Backbone {
	t.Helper()
	o.Width = 0.125
	b, err := models.BackboneByName("train.network.backbone", "efficientnet-lite0", o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBackbone: the stages have the sides that segmentation networks ask for,
// and each variable belongs to one.
func TestBackbone(t *testing.T) {
	b := backendtest.One(t)
	for stride, last := range map[int][2]int{8: {9, 13}, 16: {5, 7}, 32: {3, 4}} {
		net := small(t, models.BackboneOptions{OutputStride: stride})
		store := model.NewStore()
		exec := model.MustNewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
			out := net.Stages(layers.Net{}, scope, x)
			return out[:]
		})
		defer exec.Finalize()
		out, err := exec.Call(weightstest.Picture(67, 100))
		if err != nil {
			t.Fatal(err)
		}
		if d := out[0].Shape().Dimensions; !slices.Equal(d[1:3], []int{17, 25}) {
			t.Errorf("stride %d: low-level features of %v", stride, d)
		}
		if d := out[3].Shape().Dimensions; d[1] != last[0] || d[2] != last[1] {
			t.Errorf("stride %d: last stage of %v", stride, d)
		}
		var norms int
		stages := map[int]bool{}
		for v := range store.IterVariables() {
			path := strings.TrimPrefix(v.Path(), "/")
			if strings.HasPrefix(path, "#") {
				continue
			}
			stages[net.Stage(path)] = true
			if net.IsNorm(path) {
				norms++
			}
			if name, ok := net.Rename("module." + strings.ReplaceAll(path, "/", ".")); !ok || name != strings.ReplaceAll(path, "/", ".") {
				t.Errorf("%s is renamed to %s, %v", path, name, ok)
			}
		}
		if len(stages) != 5 || norms != 2*(1+16*3-1) {
			t.Errorf("%d stages, %d norms", len(stages), norms)
		}
	}
	net := small(t, models.BackboneOptions{OutputStride: 16})
	for path, want := range map[string]int{"_conv_stem/weight": 0, "_blocks/0/_bn1/bias": 0, "_blocks/1/_bn1/bias": 1, "_blocks/2/_bn1/bias": 1, "_blocks/3/_bn1/bias": 2,
		"_blocks/5/_bn1/bias": 3, "_blocks/10/_bn1/bias": 3, "_blocks/11/_bn1/bias": 4, "_blocks/15/_bn1/bias": 4} {
		if got := net.Stage(path); got != want {
			t.Errorf("%s is of stage %d, want %d", path, got, want)
		}
	}
	for _, head := range []string{"_conv_head.weight", "_bn1.weight", "_fc.bias", "_bn0.num_batches_tracked"} {
		if name, ok := net.Rename(head); ok {
			t.Errorf("%s is %s of the backbone", head, name)
		}
	}
	if _, err := models.BackboneByName("train.network.backbone", "efficientnet-lite0", models.BackboneOptions{OutputStride: 4}); err == nil || !strings.Contains(err.Error(), "allowed are 8, 16, 32") {
		t.Errorf("stride 4: %v", err)
	}
}

// TestRecomputeAndCut: recomputing changes no gradient, and a cut leaves none
// before it.
func TestRecomputeAndCut(t *testing.T) {
	b := backendtest.One(t)
	grads := func(o models.BackboneOptions) (early, late []float32) {
		o.OutputStride = 16
		net := small(t, o)
		store := model.NewStore()
		build := func(scope *model.Scope, x *Node) []*Node {
			y := net.Stages(layers.Net{Training: true, TrainNorm: true}, scope, x)[3]
			var vars []*Node
			for _, path := range []string{"/_blocks/1/_project_conv/weight", "/_blocks/15/_project_conv/weight"} {
				vars = append(vars, store.GetVariable(path).NodeValue(x.Graph()))
			}
			return Gradient(ReduceAllMean(Square(y)), vars...)
		}
		if err := layers.MakeVariables(store, 64, func(scope *model.Scope, x *Node) []*Node {
			return []*Node{net.Stages(layers.Net{}, scope, x)[3]}
		}); err != nil {
			t.Fatal(err)
		}
		exec := model.MustNewExec(b, store, build)
		defer exec.Finalize()
		out, err := exec.Call(weightstest.Picture(48, 64))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
	}
	early, late := grads(models.BackboneOptions{})
	again, _ := grads(models.BackboneOptions{Recompute: 2})
	for i := range early {
		if math.Abs(float64(early[i]-again[i])) > 1e-6 {
			t.Fatalf("recomputed, gradient %d is %g instead of %g", i, again[i], early[i])
		}
	}
	none, kept := grads(models.BackboneOptions{CutAfter: 1})
	if slices.ContainsFunc(none, func(v float32) bool { return v != 0 }) || !slices.Equal(kept, late) || slices.Max(early) == 0 {
		t.Error("the cut let a gradient through, or changed one behind it")
	}
}
