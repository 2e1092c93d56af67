package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/layers"
)

// twoLayers is the network of testdata/gen_sgd.py.
type twoLayers struct{}

func (twoLayers) Logits(scope *model.Scope, x *Node, training bool) []*Node {
	net := layers.Net{Training: training}
	x = net.Conv(scope, "conv", x, 4, 3, true, 1, layers.ConvOptions{Pad: 1, ReLU: true})
	y := net.Conv(scope, "head", x, 3, 1, true, 1, layers.ConvOptions{})
	return []*Node{y, layers.Resize(y, 4, 4, false)}
}

func (twoLayers) Group(path string) models.Group {
	switch {
	case path == "/head/bias":
		return models.HeadBias
	case strings.HasPrefix(path, "/head"):
		return models.Head
	}
	return models.Backbone
}

var twoLayerPaths = []string{"/conv/weight", "/conv/bias", "/head/weight", "/head/bias"}

type sgdFixture struct {
	Initial, Final [][]float32
	Updates        []struct {
		Batches []struct {
			Images        []float32
			Labels, Small []int
		}
		Loss float64
	}
}

// TestSGD compares losses and weights with PyTorch's, to 1e-5: summed loss
// maps, ignored pixels, parameter groups, momentum, weight decay, schedule and
// accumulation.
func TestSGD(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "sgd.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want sgdFixture
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	t.Run("go", func(t *testing.T) { testSGD(t, openGo(t), want) })
	t.Run("onnx", func(t *testing.T) {
		if backend.FindORT() == "" {
			t.Skip("ONNX Runtime not found: see wsss doctor")
		}
		b, err := backend.Open("onnx")
		if err != nil {
			t.Fatal(err)
		}
		defer b.Finalize()
		testSGD(t, b, want)
	})
}

func testSGD(t *testing.T, b compute.Backend, want sgdFixture) {
	net, err := newNetwork(b, twoLayers{}, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	grids, err := net.probe(8)
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range twoLayerPaths {
		v := net.store.GetVariable(path)
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(want.Initial[i], v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	c := configs.Train{Iterations: 6, LR: 0.05, HeadMult: 10, BiasMult: 20, PolyPower: 0.9, LREvery: 2, Accumulate: 2}
	graphs, err := newStep(net, grids, Loss{}, false, Optimizer{Momentum: 0.9, WeightDecay: 5e-4, Group: net.Group}, c.Accumulate)
	if err != nil {
		t.Fatal(err)
	}
	defer graphs.finalize()
	r := &run{Job: Job{Config: c}, graphs: graphs, sched: NewSchedule(c)}
	for i, u := range want.Updates {
		next := func() (*batch, error) {
			data := u.Batches[0]
			u.Batches = u.Batches[1:]
			return &batch{images: tensors.FromFlatDataAndDimensions(data.Images, 2, 8, 8, 3), labels: []*tensors.Tensor{
				tensors.FromFlatDataAndDimensions(bytesOf(data.Labels), 2, 8, 8),
				tensors.FromFlatDataAndDimensions(bytesOf(data.Small), 2, 4, 4),
			}}, nil
		}
		r.step = i
		rec, err := r.update(next)
		if err != nil {
			t.Fatal(err)
		}
		if diff := math.Abs(rec.Loss - u.Loss); diff > 1e-5*u.Loss {
			t.Errorf("update %d: loss %.7f, PyTorch %.7f", i, rec.Loss, u.Loss)
		}
	}
	for i, path := range twoLayerPaths {
		tensors.MustConstFlatData(net.store.GetVariable(path).MustValue(), func(got []float32) {
			for k, w := range want.Final[i] {
				if math.Abs(float64(got[k]-w)) > 1e-5 {
					t.Fatalf("%s[%d] = %g, PyTorch %g", path, k, got[k], w)
				}
			}
		})
	}
}

func bytesOf(v []int) []uint8 {
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}
