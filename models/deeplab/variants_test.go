package deeplab

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

// gradients are the loss and all gradients of a small network, one after the
// other.
func gradients(t *testing.T, cfg configs.Train) (loss float64, all []float32) {
	t.Helper()
	b := backendtest.One(t)
	net, err := New(cfg, 5)
	if err != nil {
		t.Fatal(err)
	}
	net.(*network).v3.asppDropout = 0
	store := model.NewStore()
	store.SetParam(model.ParamInitialSeed, int64(1))
	build := func() []*tensors.Tensor {
		return model.MustNewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
			store.SetTraining(x.Graph(), true)
			var loss *Node
			for i, l := range net.Logits(scope, x, true) {
				weights := tensors.FromFlatDataAndDimensions(hashUniform("weights", l.Shape().Size()), l.Shape().Dimensions...)
				part := ReduceAllMean(Square(Sub(l, Const(l.Graph(), weights))))
				if i == 0 {
					loss = part
				} else {
					loss = Add(loss, part)
				}
			}
			var targets []*Node
			for v := range store.IterVariables() {
				if v.InUseByGraph(x.Graph()) && net.Group(v.Path()) != models.GroupFrozen {
					targets = append(targets, v.NodeValue(x.Graph()))
				}
			}
			return append([]*Node{loss}, Gradient(loss, targets...)...)
		}).MustCall(tensors.FromFlatDataAndDimensions(hashUniform("x", 2*33*33*3), 2, 33, 33, 3))
	}
	build() // makes the variables
	out := build()
	for _, g := range out[1:] {
		all = append(all, tensors.MustCopyFlatData[float32](g)...)
	}
	return float64(tensors.ToScalar[float32](out[0])), all
}

// cosine of the angle between two vectors, and the ratio of their lengths.
func cosine(a, b []float32) (angle, length float64) {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb), math.Sqrt(bb / aa)
}

// Recomputing changes no gradient; bfloat16 changes them as much as its eight
// digits must.
func TestVariants(t *testing.T) {
	for _, arch := range []string{V2, V3Plus} {
		cfg := configs.Default().Train
		cfg.Arch, cfg.Backbone, cfg.Width, cfg.MSC, cfg.StrideIn = arch, "resnet18", 0.125, false, "3x3"
		cfg.BatchNorm = map[string]string{V2: "train", V3Plus: "frozen"}[arch]
		loss, want := gradients(t, cfg)
		for _, c := range []struct {
			name            string
			change          func(*configs.Train)
			loss, direction float64 // tolerances
		}{
			{"recompute", func(t *configs.Train) { t.Recompute = 2 }, 1e-6, 1e-6},
			{"bf16", func(t *configs.Train) { t.Precision = "bf16" }, 0.02, 0.02},
		} {
			t.Run(arch+" "+c.name, func(t *testing.T) {
				cfg := cfg
				c.change(&cfg)
				if err := backend.CheckPrecision(backendtest.One(t), cfg.Precision); err != nil {
					t.Skip(err)
				}
				l, got := gradients(t, cfg)
				angle, length := cosine(want, got)
				t.Logf("loss %.5f instead of %.5f; cosine of the gradients %.6f, length × %.4f", l, loss, angle, length)
				if len(got) != len(want) || !(math.Abs(l/loss-1) <= c.loss) || !(angle >= 1-c.direction) || !(math.Abs(length-1) <= 2*c.direction) {
					t.Errorf("too far off")
				}
			})
		}
	}
}

// TestHeadStartsByFanIn: the head of DeepLab-v3+ starts as its references': by
// the input channels of each convolution; the backbone by the output channels.
func TestHeadStartsByFanIn(t *testing.T) {
	b := backendtest.One(t)
	for _, arch := range []string{V3Plus, V3PlusMultiGrid} {
		c := configs.Default().Train
		c.Arch, c.Backbone, c.OutputStride, c.MSC, c.StrideIn = arch, "resnet18", 16, false, "3x3"
		net, err := New(c, 3)
		if err != nil {
			t.Fatal(err)
		}
		store := model.NewStore()
		model.MustNewExec(b, store, func(scope *model.Scope, x *Node) *Node {
			return net.Logits(scope, x, false)[0]
		}).MustCall(tensors.FromFlatDataAndDimensions(make([]float32, 33*33*3), 1, 33, 33, 3))
		for path, fan := range map[string]int{
			"/classifier/aspp/convs/1/0/weight": 9 * 512, "/classifier/aspp/project/0/weight": 1280,
			"/classifier/project/0/weight": 64, "/classifier/classifier/0/weight": 9 * 304, "/backbone/layer2/0/conv1/weight": 9 * 128,
		} {
			v := store.GetVariable(path)
			if v == nil {
				t.Fatalf("%s: no variable %s", arch, path)
			}
			sum, n := 0.0, 0
			for _, x := range tensors.MustCopyFlatData[float32](v.MustValue()) {
				sum, n = sum+float64(x)*float64(x), n+1
			}
			if got, want := math.Sqrt(sum/float64(n)), math.Sqrt(2/float64(fan)); math.Abs(got/want-1) > 0.05 {
				t.Errorf("%s: %s has deviation %.4f, want %.4f", arch, path, got, want)
			}
		}
	}
}
