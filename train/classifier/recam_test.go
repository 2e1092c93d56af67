package classifier

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data/scenes"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights/formats"
	"wsss/models/weights/weightstest"
)

// TestReCAMParity: loss, gradients of both classifiers and of the backbone, and
// the maps of the product of both, are PyTorch's within 1e-4.
func TestReCAMParity(t *testing.T) {
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			b := open(t, spec)
			given, err := formats.Open(fixtures + "parity.pth")
			if err != nil {
				t.Fatal(err)
			}
			defer given.Close()
			want, err := formats.Open(fixtures + "recam.pth")
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			cfg := configs.Default().Classifier
			cfg.Width, cfg.Init = 1.0/32, fixtures+"res50_cam.pth"
			n, err := newReCAM(cfg, 3, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			base := n.network
			second, err := layers.FromTorch(weightstest.Tensor(t, want, "second"))
			if err != nil {
				t.Fatal(err)
			}
			if err := base.store.GetVariable("/recam/weight").SetValue(second); err != nil {
				t.Fatal(err)
			}
			paths := []string{"/backbone/layer4/2/conv3/weight", "/classifier/weight", "/recam/weight"}
			exec, err := model.NewExec(b, base.store, func(scope *model.Scope, in []*Node) []*Node {
				base.store.SetTraining(in[0].Graph(), true)
				cost := n.Cost(scope, in[0], in[1], OnesLike(in[1]))
				var vars []*Node
				for _, p := range paths {
					vars = append(vars, base.store.GetVariable(p).NodeValue(in[0].Graph()))
				}
				return append([]*Node{cost}, Gradient(cost, vars...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			images := weightstest.Tensor(t, given, "images")
			out, err := exec.Call(images, weightstest.Tensor(t, given, "targets"))
			if err != nil {
				t.Fatal(err)
			}
			weightstest.Close(t, "loss", tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](out[0]), 1), weightstest.Tensor(t, want, "loss"), 1e-4)
			for i, name := range []string{"resnet50.layer4.2.conv3.weight", "classifier.weight", "recam.weight"} {
				grad, err := layers.ToTorch(out[1+i])
				if err != nil {
					t.Fatal(err)
				}
				weightstest.Close(t, "gradient of "+name, grad, weightstest.Tensor(t, want, "grad/"+name), 1e-4)
			}
			if err := base.net.FoldReCAM(base.store, false); err != nil {
				t.Fatal(err)
			}
			maps, err := model.NewExec1(b, base.store, func(scope *model.Scope, x *Node) *Node { return base.net.Maps(nil, scope, x) })
			if err != nil {
				t.Fatal(err)
			}
			defer maps.Finalize()
			got, err := maps.Call1(weightstest.Tensor(t, given, "images"))
			if err != nil {
				t.Fatal(err)
			}
			weightstest.Close(t, "maps", got, weightstest.Tensor(t, want, "maps"), 1e-4)
		})
	}
}

// TestReCAMRates: the second classifier learns at ten times the rate of all else,
// the first classifier included; what the first training leaves alone stays.
func TestReCAMRates(t *testing.T) {
	cfg := configs.Default().Classifier
	cfg.Backbone, cfg.Width, cfg.ReCAMEpochs = "resnet18", 1.0/32, 4
	n, err := newReCAM(secondStage(cfg, ""), 3, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for path, want := range map[string]float32{
		"/recam/weight": 5e-4, "/classifier/weight": 5e-5, "/backbone/layer4/0/conv1/weight": 5e-5, "/backbone/conv1/weight": 0,
	} {
		got := float32(0)
		if g := n.opt.Group(path); g != models.GroupFrozen {
			got = n.Scalars(0, 100, 0)[g-1]
		}
		if n.store.GetVariable(path) == nil || math.Abs(float64(got-want)) > 1e-9 {
			t.Errorf("%s learns at %g, wanted is %g", path, got, want)
		}
	}
}

// TestReCAMTraining: both trainings run one after the other and report one
// progress; a second call has nothing to do; a stopped one goes on and ends with
// the same bytes.
func TestReCAMTraining(t *testing.T) {
	root := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize, cfg.Classes = 24, 12, 40, 56, 3
	if err := scenes.Write(context.Background(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	j := job(t, root)
	j.Config.Epochs, j.Config.ReCAMEpochs, j.Config.Batch = 2, 1, 4
	j.OutDir = filepath.Join(t.TempDir(), "undisturbed")
	var steps [][2]int
	j.Progress = func(done, total int) { steps = append(steps, [2]int{done, total}) }
	res, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	last := [2]int{}
	for _, s := range steps {
		if s[0] <= last[0] || last[1] != 0 && s[1] != last[1] {
			t.Fatalf("progress %v", steps)
		}
		last = s
	}
	if last[0] != last[1] || res.Classifier != filepath.Join(j.OutDir, File) {
		t.Errorf("ended at %v with %s", last, res.Classifier)
	}
	want, err := os.ReadFile(res.Classifier)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(j.OutDir, firstDir, File))
	if err != nil || bytes.Equal(before, want) {
		t.Errorf("the first classifier is the last one, too (%v)", err)
	}
	if again, err := Run(context.Background(), j); err != nil || !again.Skipped {
		t.Errorf("a finished training: %+v, %v", again, err)
	}
	second := j
	second.OutDir, second.Config.ReCAMMaps, second.Progress = filepath.Join(t.TempDir(), "second"), "second", nil
	if res, err := Run(context.Background(), second); err != nil {
		t.Fatal(err)
	} else if raw, err := os.ReadFile(res.Classifier); err != nil || bytes.Equal(raw, want) {
		t.Errorf("the second classifier's maps are those of the product (%v)", err)
	}
	for stopAt := 3; stopAt < last[1]; stopAt += 4 { // in the first, and in the second
		k := j
		k.OutDir = filepath.Join(t.TempDir(), "stopped")
		ctx, cancel := context.WithCancel(context.Background())
		k.Progress = func(done, total int) {
			if done == stopAt {
				cancel()
			}
		}
		if _, err := Run(ctx, k); err == nil {
			t.Fatalf("not stopped at %d", stopAt)
		}
		res, err := Run(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(res.Classifier); err != nil || !bytes.Equal(got, want) {
			t.Errorf("stopped after %d updates, it ends with other bytes (%v)", stopAt, err)
		}
	}
}
