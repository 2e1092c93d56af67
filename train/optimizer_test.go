package train

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data/datatest"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/train/optim"
)

// twoLayers is the network of testdata/gen_optim.py.
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
		return models.GroupHeadBias
	case strings.HasPrefix(path, "/head"):
		return models.GroupHead
	}
	return models.GroupBackbone
}

var twoLayerPaths = []string{"/conv/weight", "/conv/bias", "/head/weight", "/head/bias"}

type optimizerFixture struct {
	Initial [][]float32
	Batches []struct {
		Images        []float32
		Labels, Small []int
	}
	Runs map[string]struct {
		LR, Decay float64
		Losses    []float64
		Final     [][]float32
	}
}

// TestOptimizers compares losses and weights with PyTorch's SGD and AdamW, to
// 1e-5: summed loss maps, ignored pixels, parameter groups, momentum, weight
// decay, schedule and accumulation.
func TestOptimizers(t *testing.T) {
	var want optimizerFixture
	datatest.JSON(t, filepath.Join("testdata", "optim.json"), &want)
	for kind := range want.Runs {
		t.Run(kind, func(t *testing.T) {
			backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) { testOptimizer(t, b, kind, want) })
		})
	}
}

func testOptimizer(t *testing.T, b compute.Backend, kind string, want optimizerFixture) {
	ref := want.Runs[kind]
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
	c := configs.Train{Iterations: 6, Accumulate: 2, TrainOptimizer: configs.TrainOptimizer{LR: ref.LR, HeadMult: 10, BiasMult: 20, PolyPower: 0.9, LREvery: 2}}
	graphs, err := newStep(net, grids, Loss{}, false, optim.Optimizer{Name: kind, Momentum: 0.9, WeightDecay: ref.Decay, Group: net.Group}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer graphs.finalize()
	r := &run{Job: Job{Config: c, Backend: net.backend}, graphs: graphs, sched: optim.NewSchedule(c, 1)}
	batches := want.Batches
	next := func() (*batch, error) {
		data := batches[0]
		batches = batches[1:]
		return &batch{images: tensors.FromFlatDataAndDimensions(data.Images, 2, 8, 8, 3), labels: []*tensors.Tensor{
			tensors.FromFlatDataAndDimensions(bytesOf(data.Labels), 2, 8, 8),
			tensors.FromFlatDataAndDimensions(bytesOf(data.Small), 2, 4, 4),
		}}, nil
	}
	r.take, _ = r.feed(t.Context(), len(batches), next)
	for i, loss := range ref.Losses {
		before := net.store.GetVariable(twoLayerPaths[0]).MustValue()
		rec, err := r.Update(i)
		if err != nil {
			t.Fatal(err)
		}
		if before.Ok() {
			t.Error("the weights before the update have not been donated to it")
		}
		if diff := math.Abs(rec.Loss - loss); diff > 1e-5*loss {
			t.Errorf("update %d: loss %.7f, PyTorch %.7f", i, rec.Loss, loss)
		}
	}
	for i, path := range twoLayerPaths {
		tensors.MustConstFlatData(net.store.GetVariable(path).MustValue(), func(got []float32) {
			for k, w := range ref.Final[i] {
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
