package clip

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/safetensors"
	"wsss/configs"
	"wsss/models/backend/backendtest"
	"wsss/train/multilabel"
)

// tinyVision is a CLIP image encoder of two blocks on 32 × 32 pixels, exported
// by PyTorch; testdata/gen_finetune.py made it and what it is compared with.
const tinyVision = "testdata/tiny_vision.onnx"

type fixture struct {
	*safetensors.Reader
	Settings struct {
		LR          float64 `json:"lr"`
		WeightDecay float64 `json:"weight_decay"`
		LayerDecay  float64 `json:"layer_decay"`
		Classes     int     `json:"classes"`
	} `json:"settings"`
	Losses map[string][]float64 `json:"losses"`
	Depths map[string]int       `json:"depths"`
}

func load(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{}
	raw, err := os.ReadFile("testdata/finetune.json")
	if err == nil {
		err = json.Unmarshal(raw, f)
	}
	if err == nil {
		f.Reader, err = safetensors.Open("testdata/finetune.safetensors")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func (f *fixture) tensor(t *testing.T, name string) *tensors.Tensor {
	t.Helper()
	v, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// config is what the fixture was trained with.
func (f *fixture) config(loss string) configs.FineTuneCLIP {
	cfg := configs.Default().FineTuneCLIP
	cfg.Encoder, cfg.Loss, cfg.GammaPos = tinyVision, loss, 1
	cfg.LR, cfg.WeightDecay, cfg.LayerDecay = f.Settings.LR, f.Settings.WeightDecay, f.Settings.LayerDecay
	return cfg
}

// network is the fixture's at its start.
func (f *fixture) network(t *testing.T, b compute.Backend, cfg configs.FineTuneCLIP) *network {
	t.Helper()
	n, err := newNetwork(b, cfg, f.Settings.Classes, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	for _, name := range []string{normScale, normBias, weightName, biasName} {
		if err := n.store.GetVariable("/" + headScope + "/" + name).SetValue(f.tensor(t, headScope+"/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// eachBackend runs a test on every engine at hand.
func eachBackend(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	backendtest.Each(t, backendtest.Quick(t), test)
}

func flat(t *testing.T, v *tensors.Tensor) []float32 {
	t.Helper()
	x, err := tensors.CopyFlatData[float32](v)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// gradients are the cost of the fixture's batch and its gradients by all
// weights that are trained, with their names.
func (f *fixture) gradients(t *testing.T, n *network) (names []string, out []*tensors.Tensor) {
	t.Helper()
	exec, err := model.NewExec(n.backend, n.store, func(scope *model.Scope, in []*Node) []*Node {
		cost := n.Loss().Cost(n.logits(scope, in[0], true), in[1], in[2])
		names = nil
		var nodes []*Node
		for _, v := range n.Trained(in[0].Graph()) {
			names = append(names, v.Path()[1:])
			nodes = append(nodes, v.NodeValue(in[0].Graph()))
		}
		return append([]*Node{cost}, Gradient(cost, nodes...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err = exec.Call(f.tensor(t, "images"), f.tensor(t, "targets"), f.tensor(t, "known"))
	if err != nil {
		t.Fatal(err)
	}
	return names, out
}

// TestGradientsEqualPyTorch compares every gradient through the imported graph
// with PyTorch's: the largest difference is below 1e-3 of the largest gradient
// of the same weight, or of 1e-3.
func TestGradientsEqualPyTorch(t *testing.T) {
	f := load(t)
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		for kind := range f.Losses {
			cfg := f.config(kind)
			n := f.network(t, b, cfg)
			names, out := f.gradients(t, n)
			if got := float64(flat(t, out[0])[0]); math.Abs(got-f.Losses[kind][0]) > 1e-5 {
				t.Errorf("%s: loss %g, PyTorch %g", kind, got, f.Losses[kind][0])
			}
			if want := len(f.Depths) + 4; len(names) != want {
				t.Fatalf("%s: %d variables are trained, want %d: %v", kind, len(names), want, names)
			}
			worst := 0.0
			for i, name := range names {
				got, want := flat(t, out[1+i]), flat(t, f.tensor(t, "grad/"+kind+"/"+name))
				size, diff := 1e-3, 0.0
				for k := range want {
					size = max(size, math.Abs(float64(want[k])))
					diff = max(diff, math.Abs(float64(got[k]-want[k])))
				}
				worst = max(worst, diff/size)
				if diff/size > 1e-3 {
					t.Errorf("%s: gradient of %s differs by %g of at most %g", kind, name, diff, size)
				}
			}
			t.Logf("%s: largest relative difference %.1e", kind, worst)
		}
	})
}

// losses are those of so many updates with the fixture's batch.
func (f *fixture) losses(t *testing.T, b compute.Backend, cfg configs.FineTuneCLIP, updates int) (list []float64) {
	t.Helper()
	return f.lossesOf(t, b, f.network(t, b, cfg), cfg, updates)
}

func (f *fixture) lossesOf(t *testing.T, b compute.Backend, net multilabel.Net, cfg configs.FineTuneCLIP, updates int) (list []float64) {
	t.Helper()
	update, forward, err := multilabel.Compile(b, net, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer update.Finalize()
	defer forward.Finalize()
	for step := range updates {
		batch, err := update.Place(f.tensor(t, "images"), f.tensor(t, "targets"), f.tensor(t, "known"))
		if err != nil {
			t.Fatal(err)
		}
		loss, _, err := update.Run(batch, []float32{float32(cfg.LR), float32(step + 1)})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, loss)
	}
	return list
}

// TestUpdatesEqualPyTorch makes 20 AdamW updates with weight decay 0.7 and
// layer-wise rates: losses within 1e-4 of PyTorch's.
func TestUpdatesEqualPyTorch(t *testing.T) {
	f := load(t)
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		for kind, want := range f.Losses {
			worst := 0.0
			for i, loss := range f.losses(t, b, f.config(kind), len(want)) {
				worst = max(worst, math.Abs(loss-want[i]))
			}
			if worst > 1e-4 {
				t.Errorf("%s: losses differ by %g", kind, worst)
			}
			t.Logf("%s: losses of 20 updates differ by at most %.1e", kind, worst)
		}
	})
}

func TestDepths(t *testing.T) {
	f := load(t)
	d, err := readDepths(tinyVision, "image_embeds")
	if err != nil {
		t.Fatal(err)
	}
	if d.blocks != 2 || len(d.of) != len(f.Depths) {
		t.Errorf("%d blocks and %d weights, want 2 and %d", d.blocks, len(d.of), len(f.Depths))
	}
	for name, want := range f.Depths {
		if got, ok := d.of[strings.ReplaceAll(name, "/", "|")]; !ok || got != want {
			t.Errorf("%s lies at %d (%v), want %d", name, got, ok, want)
		}
	}
	if _, err := readDepths(tinyVision, "nothing"); err == nil {
		t.Error("an output that is not there")
	}
}
