package optim

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

func TestSchedule(t *testing.T) {
	base := configs.Train{Iterations: 100, TrainOptimizer: configs.TrainOptimizer{LR: 2, HeadMult: 10, PolyPower: 0.5, LRMin: 0.01}}
	for _, c := range []struct {
		name   string
		change func(*configs.Train)
		want   map[int]float64 // rate of the backbone by step
	}{
		{"poly", func(*configs.Train) {}, map[int]float64{0: 2, 50: 2 * math.Sqrt(0.5), 99: 0.2}},
		{"cosine", func(t *configs.Train) { t.Schedule = "cosine" }, map[int]float64{0: 2, 25: 1 + math.Sqrt(0.5), 50: 1, 99: 0.01}},
		{"cosine by tens", func(t *configs.Train) { t.Schedule, t.LREvery = "cosine", 10 }, map[int]float64{9: 2, 50: 1, 59: 1}},
		{"warm-up", func(t *configs.Train) { t.WarmUp = 10 }, map[int]float64{0: 0.2, 4: math.Sqrt(0.96), 9: 2 * math.Sqrt(0.91), 50: 2 * math.Sqrt(0.5)}},
		{"warm-up of two epochs", func(t *configs.Train) { t.WarmUp = configs.Epochs(2) }, map[int]float64{0: 0.2, 9: 2 * math.Sqrt(0.91)}},
	} {
		cfg := base
		c.change(&cfg)
		s := NewSchedule(cfg, 5)
		for step, want := range c.want {
			if got := s.Rate(models.GroupBackbone, step); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s: step %d has rate %g, want %g", c.name, step, got, want)
			}
			if got := s.Rate(models.GroupHead, step); got > 0.1 && math.Abs(got-10*want) > 1e-9 {
				t.Errorf("%s: step %d has rate %g in the head, want %g", c.name, step, got, 10*want)
			}
		}
	}
}

// threeLayers has /layer0/weight … /layer2/weight and a head.
type threeLayers struct{}

func (threeLayers) Layers() int { return 3 }
func (threeLayers) Layer(path string) int {
	if path[1] == 'h' {
		return 3
	}
	return int(path[len("/layer")] - '0')
}

// TestUpdate: gradients are clipped together as PyTorch's clip_grad_norm_ does,
// rates fall with depth, and decay leaves vectors alone.
func TestUpdate(t *testing.T) {
	values := map[string][]float32{"/layer0/weight": {1, 2, 3, 4}, "/layer2/weight": {1, 2, 3, 4}, "/layer2/norm": {1, 2}, "/head/weight": {1, 1}}
	dims := map[string][]int{"/layer0/weight": {2, 2}, "/layer2/weight": {2, 2}, "/layer2/norm": {2}, "/head/weight": {1, 2}}
	paths := []string{"/layer0/weight", "/layer2/weight", "/layer2/norm", "/head/weight"}
	update := func(t *testing.T, b compute.Backend, o Optimizer) map[string][]float32 {
		t.Helper()
		o.Name = "sgd"
		o.Group = func(path string) models.Group {
			if path == "/head/weight" {
				return models.GroupHead
			}
			return models.GroupBackbone
		}
		store := model.NewStore()
		for _, path := range paths {
			store.VariableWithValue(path, tensors.FromFlatDataAndDimensions(values[path], dims[path]...))
		}
		exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
			var vars []*model.Variable
			var grads []*Node
			var norm *Node
			for _, path := range paths {
				v := store.GetVariable(path)
				vars = append(vars, v)
				g := OnesLike(v.NodeValue(in[0].Graph())) // twelve ones: a norm of √12
				grads = append(grads, g)
				if sum := ReduceAllSum(Square(g)); norm == nil {
					norm = sum
				} else {
					norm = Add(norm, sum)
				}
			}
			store.SetTraining(in[0].Graph(), true)
			o.Update(store, vars, o.Clip(grads, norm), in)
			return []*Node{norm}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		if _, err := exec.Call(float32(0.1), float32(1), float32(1), float32(1), float32(0)); err != nil {
			t.Fatal(err)
		}
		out := map[string][]float32{}
		for _, path := range paths {
			out[path] = tensors.MustCopyFlatData[float32](store.GetVariable(path).MustValue())
		}
		return out
	}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		clip := 2 / math.Sqrt(12)
		for _, c := range []struct {
			name string
			o    Optimizer
			want map[string]float64 // the change of the first value
		}{
			{"plain", Optimizer{}, map[string]float64{"/layer0/weight": -0.1, "/layer2/norm": -0.1, "/head/weight": -1}},
			{"clipped", Optimizer{ClipNorm: 2}, map[string]float64{"/layer0/weight": -0.1 * clip, "/head/weight": -clip}},
			{"below the bound", Optimizer{ClipNorm: 4}, map[string]float64{"/layer0/weight": -0.1, "/head/weight": -1}},
			{"layers", Optimizer{Mult: LayerRates(threeLayers{}, 0.5)}, map[string]float64{"/layer0/weight": -0.1 / 8, "/layer2/weight": -0.1 / 2, "/layer2/norm": -0.1 / 2, "/head/weight": -1}},
			{"decay", Optimizer{WeightDecay: 0.5}, map[string]float64{"/layer0/weight": -0.15, "/layer2/norm": -0.15}},
			{"decay of kernels", Optimizer{WeightDecay: 0.5, Kernels: true}, map[string]float64{"/layer0/weight": -0.15, "/layer2/norm": -0.1}},
		} {
			got := update(t, b, c.o)
			for path, want := range c.want {
				if change := float64(got[path][0] - values[path][0]); math.Abs(change-want) > 1e-5 {
					t.Errorf("%s: %s changed by %g, want %g", c.name, path, change, want)
				}
			}
		}
	})
	if LayerRates(threeLayers{}, 0) != nil || LayerRates(threeLayers{}, 1) != nil {
		t.Error("no decay is a factor")
	}
}

// TestKernels: what decays by itself under decay_of = "kernels".
func TestKernels(t *testing.T) {
	o := Optimizer{Embedding: func(path string) bool { return path == "/predictor/query_feat/weight" }}
	store := model.NewStore()
	for path, c := range map[string]struct {
		dims []int
		want bool
	}{
		"/backbone/conv1/weight": {[]int{3, 3, 2, 2}, true}, "/predictor/self_attn/in_proj_weight": {[]int{6, 2}, true}, "/head/weight": {[]int{2, 2}, true},
		"/backbone/norm/weight": {[]int{2}, false}, "/head/bias": {[]int{2}, false}, "/predictor/query_feat/weight": {[]int{4, 2}, false},
		"/backbone/pos_embed": {[]int{1, 4, 2}, false}, "/backbone/attn/relative_position_bias_table": {[]int{9, 2}, false}, "/backbone/ls1/gamma": {[]int{2}, false},
	} {
		v := store.VariableWithValue(path, tensors.FromShape(shapes.Make(dtypes.Float32, c.dims...)))
		if got := o.isKernel(v); got != c.want {
			t.Errorf("%s of shape %v is a kernel: %t", path, c.dims, got)
		}
	}
}
