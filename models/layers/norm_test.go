package layers

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// moments are the mean and the biased variance per channel.
func moments(x array) (mean, variance []float64) {
	c := x.dims[3]
	count := float64(len(x.v) / c)
	mean, variance = make([]float64, c), make([]float64, c)
	for i, v := range x.v {
		mean[i%c] += v / count
	}
	for i, v := range x.v {
		variance[i%c] += (v - mean[i%c]) * (v - mean[i%c]) / count
	}
	return mean, variance
}

// refNorm is batch normalisation with batch statistics.
func refNorm(x, gamma, beta array, relu bool) array {
	mean, variance := moments(x)
	y := newArray(x.dims...)
	for i, v := range x.v {
		c := i % x.dims[3]
		y.v[i] = gamma.v[c]*(v-mean[c])/math.Sqrt(variance[c]+Epsilon) + beta.v[c]
		if relu {
			y.v[i] = max(y.v[i], 0)
		}
	}
	return y
}

// Trained normalisation: result and gradients through the batch statistics.
func TestBatchNorm(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, relu := range []bool{false, true} {
			checkOp(t, b, func(in []*Node) *Node {
				return batchStatistics(in[0]).normalise(in[0], in[1], in[2], relu)
			}, func(in []array) array { return refNorm(in[0], in[1], in[2], relu) },
				random(1, 2, 3, 5, 4), random(2, 4), random(3, 4))
		}
	})
}

// ConvNorm trained moves the running statistics as PyTorch does; frozen it uses
// them and learns the kernel only.
func TestConvNorm(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		x, w := random(1, 2, 4, 5, 3), random(2, 3, 3, 3, 2)
		root := store.RootScope()
		root.At("conv").VariableWithValue("weight", w.tensor())
		net := Net{Training: true, TrainNorm: true, Momentum: 0.25}
		run := func() *tensors.Tensor {
			return model.MustCallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
				return net.ConvNorm(scope, "conv", "bn", x, 2, 3, ConvOptions{Pad: 1, ReLU: true})
			}, x.tensor())
		}
		conv := refConv(x, w, nil, ConvOptions{Pad: 1})
		mean, variance := moments(conv)
		ones, zeros := array{[]int{2}, []float64{1, 1}}, newArray(2)
		compare(t, "trained", run(), refNorm(conv, ones, zeros, true))

		bn := root.At("bn")
		n := float64(2 * 4 * 5)
		for c := range 2 {
			mean[c] *= 0.25
			variance[c] = 0.75 + 0.25*variance[c]*n/(n-1)
		}
		compare(t, "running mean", bn.GetVariable("running_mean").MustValue(), array{[]int{2}, mean})
		compare(t, "running variance", bn.GetVariable("running_var").MustValue(), array{[]int{2}, variance})

		net = Net{}
		want := newArray(conv.dims...)
		for i, v := range conv.v {
			want.v[i] = max((v-mean[i%2])/math.Sqrt(variance[i%2]+Epsilon), 0)
		}
		compare(t, "frozen", run(), want)
		for v := range store.IterVariables() {
			if v.Trainable != (v.Name() == "weight" && v.Scope() == "/conv") {
				t.Errorf("frozen: %s has Trainable = %v", v.Path(), v.Trainable)
			}
		}
	})
}

func TestDropout(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		x := newArray(1, 50, 50, 4)
		for i := range x.v {
			x.v[i] = 1
		}
		for _, net := range []Net{{}, {Training: true}} {
			got := tensors.MustCopyFlatData[float32](model.MustCallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
				return net.Dropout(scope, x, 0.5)
			}, x.tensor()))
			kept := 0
			for _, v := range got {
				switch {
				case v == 2 && net.Training, v == 1 && !net.Training:
					kept++
				case v != 0 || !net.Training:
					t.Fatalf("training %v: value %v", net.Training, v)
				}
			}
			if share := float64(kept) / float64(len(got)); net.Training && math.Abs(share-0.5) > 0.03 {
				t.Errorf("%v of the values kept, want 0.5", share)
			}
		}
	})
}

// Initial values depend on the seed and the path alone.
func TestInitialValues(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		kernel := func(seed int64, path string) float32 {
			store := model.NewStore()
			store.SetParam(model.ParamInitialSeed, seed)
			return tensors.MustCopyFlatData[float32](model.MustCallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
				return Net{}.Kernel(scope.At("%s", path), x.Graph(), 3, 2, 2, 1)
			}, float32(0)))[5]
		}
		first := kernel(1, "a")
		if again := kernel(1, "a"); again != first {
			t.Errorf("same seed and path: %v and %v", first, again)
		}
		if kernel(2, "a") == first || kernel(1, "b") == first {
			t.Error("another seed or path gives the same values")
		}
	})
}

// An evaluation graph that is compiled before training sees what training
// learnt, on backends that compile constants too.
func TestEvaluationFollowsTraining(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		exec := func(net Net) *model.ExecOneOutput {
			return model.MustNewExec1(b, store, func(scope *model.Scope, x *Node) *Node {
				store.SetTraining(x.Graph(), net.Training)
				return ReduceAllSum(net.ConvNorm(scope, "conv", "bn", x, 2, 1, ConvOptions{ReLU: true}))
			})
		}
		eval, train := exec(Net{TrainNorm: true}), exec(Net{Training: true, TrainNorm: true})
		x := random(1, 1, 4, 4, 3).tensor()
		before := tensors.ToScalar[float32](eval.MustCall(x))
		train.MustCall(x)
		if after := tensors.ToScalar[float32](eval.MustCall(x)); after == before {
			t.Errorf("the running statistics moved, the evaluation stays at %v", after)
		}
	})
}
