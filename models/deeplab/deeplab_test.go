package deeplab

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

func each(t *testing.T, test func(*testing.T, compute.Backend)) {
	backendtest.Each(t, backendtest.Quick(t), test)
}

// tiny is a narrow network of the architecture.
func tiny(arch, backbone string) configs.Train {
	c := configs.Default().Train
	c.Arch, c.Backbone, c.Width = arch, backbone, 0.125
	c.MSC = arch == V2
	c.OutputStride = map[string]int{V2: 8, V3Plus: 16, V3PlusMultiGrid: 16}[arch]
	if arch != V2 {
		c.StrideIn = "3x3"
	}
	return c
}

func mustNew(t *testing.T, c configs.Train) models.Segmenter {
	t.Helper()
	n, err := New(c, 5)
	if err == nil {
		n, err = models.AtScales(n, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pixels is a smooth image batch [2, size, size, 3].
func pixels(size int) *tensors.Tensor {
	v := make([]float32, 2*size*size*3)
	for i := range v {
		v[i] = float32(math.Sin(float64(i) * 0.37))
	}
	return tensors.FromFlatDataAndDimensions(v, 2, size, size, 3)
}

// Shapes of the logits, and a few steps of plain gradient descent on one batch
// lower the loss, for every architecture and normalisation.
func TestLearnsOneBatch(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			arch, backbone, norm string
			stride               int
			shapes               string
		}{
			{V2, "resnet18", "train", 8, "[2 6 6 5] [2 3 3 5] [2 4 4 5] [2 6 6 5]"},
			{V2, "resnet18", "frozen", 16, "[2 3 3 5] [2 2 2 5] [2 2 2 5] [2 3 3 5]"},
			{V3Plus, "resnet18", "train", 16, "[2 41 41 5]"},
		} {
			t.Run(fmt.Sprint(c.arch, c.backbone, c.norm), func(t *testing.T) {
				cfg := tiny(c.arch, c.backbone)
				cfg.BatchNorm, cfg.OutputStride = c.norm, c.stride
				net := mustNew(t, cfg)
				store := model.NewStore()
				if err := store.SetRNGStateFromSeed(1); err != nil {
					t.Fatal(err)
				}
				var shapes string
				step := model.MustNewExec1(b, store, func(scope *model.Scope, x *Node) *Node {
					g := x.Graph()
					store.SetTraining(g, true)
					var loss *Node
					shapes = ""
					for _, l := range net.Logits(scope.At("model"), x, true) {
						shapes += fmt.Sprint(" ", l.Shape().Dimensions)
						// Drive every class's logit towards its own number.
						target := BroadcastToShape(ExpandLeftToRank(Const(g, []float32{0, 0.5, 1, -0.5, -1}), 4), l.Shape())
						cost := ReduceAllMean(Square(Sub(l, target)))
						if loss == nil {
							loss = cost
						} else {
							loss = Add(loss, cost)
						}
					}
					var vars []*model.Variable
					var values []*Node
					for v := range store.IterVariables() {
						if net.Group(v.Path()) != models.GroupFrozen {
							vars = append(vars, v)
							values = append(values, v.NodeValue(g))
						}
					}
					for i, d := range Gradient(loss, values...) {
						norm := Sqrt(AddScalar(ReduceAllSum(Square(d)), 1e-12))
						v := vars[i]
						v.SetNodeValue(Sub(values[i], MulScalar(Div(d, norm), 0.02)))
					}
					return loss
				})
				var losses []float32
				for range 5 {
					losses = append(losses, tensors.ToScalar[float32](step.MustCall(pixels(41))))
				}
				if got := strings.TrimSpace(shapes); got != c.shapes {
					t.Errorf("logits %s, want %s", got, c.shapes)
				}
				if !(losses[4] < 0.95*losses[0]) {
					t.Errorf("losses %v do not fall", losses)
				}
				eval := model.MustCallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
					return net.Logits(scope.At("model"), x, false)
				}, pixels(41))
				if len(eval) != 1 {
					t.Errorf("%d logit maps in evaluation, want 1", len(eval))
				}
			})
		}
	})
}

func TestGroups(t *testing.T) {
	cases := []struct {
		arch, norm, path string
		want             models.Group
	}{
		{V2, "frozen", "/model/backbone/conv1/weight", models.GroupBackbone},
		{V2, "frozen", "/model/backbone/bn1/weight", models.GroupFrozen},
		{V2, "train", "/model/backbone/bn1/weight", models.GroupBackbone},
		{V2, "train", "/model/backbone/bn1/running_var", models.GroupFrozen},
		{V2, "frozen", "/model/backbone/layer3/1/conv2/weight", models.GroupBackbone},
		{V2, "frozen", "/model/backbone/layer1/0/downsample/0/weight", models.GroupBackbone},
		{V2, "frozen", "/model/backbone/layer1/0/downsample/1/bias", models.GroupFrozen},
		{V2, "frozen", "/model/aspp/c1/weight", models.GroupHead},
		{V2, "frozen", "/model/aspp/c1/bias", models.GroupHeadBias},
		{V3Plus, "frozen", "/model/classifier/aspp/convs/1/0/weight", models.GroupHead},
		{V3Plus, "frozen", "/model/classifier/aspp/convs/1/1/weight", models.GroupFrozen},
		{V3Plus, "train", "/model/classifier/aspp/convs/1/1/weight", models.GroupHead},
		{V3Plus, "frozen", "/model/classifier/aspp/convs/4/1/weight", models.GroupHead},
		{V3Plus, "frozen", "/model/classifier/aspp/convs/4/2/weight", models.GroupFrozen},
		{V3Plus, "frozen", "/model/classifier/classifier/3/bias", models.GroupHead},
		{V3PlusMultiGrid, "frozen", "/model/classifier/classifier/5/weight", models.GroupFrozen},
		{V3PlusMultiGrid, "frozen", "/model/classifier/classifier/4/weight", models.GroupHead},
		{V3Plus, "head", "/model/backbone/layer3/1/bn2/weight", models.GroupFrozen},
		{V3Plus, "head", "/model/backbone/layer3/1/conv2/weight", models.GroupBackbone},
		{V3Plus, "head", "/model/classifier/aspp/convs/1/1/weight", models.GroupHead},
		{V3Plus, "train", "/#rngState", models.GroupFrozen},
	}
	for _, c := range cases {
		cfg := tiny(c.arch, "resnet50")
		cfg.BatchNorm = c.norm
		if got := mustNew(t, cfg).Group(c.path); got != c.want {
			t.Errorf("%s, %s: group of %s is %d, want %d", c.arch, c.norm, c.path, got, c.want)
		}
	}
}

// batch_norm = "head" learns the statistics of the head and keeps those of the
// backbone.
func TestHeadNorm(t *testing.T) {
	cfg := tiny(V3Plus, "resnet18")
	cfg.BatchNorm = "head"
	engine := backendtest.One(t)
	net, store := mustNew(t, cfg), model.NewStore()
	run := func(training bool) {
		model.MustNewExec(engine, store, func(scope *model.Scope, x *Node) *Node {
			store.SetTraining(x.Graph(), training)
			return ReduceAllSum(net.Logits(scope.In("model"), x, training)[0])
		}).MustCall(tensors.FromFlatDataAndDimensions(hashUniform("x", 2*33*33*3), 2, 33, 33, 3))
	}
	means := func() map[string]float32 {
		m := map[string]float32{}
		for v := range store.IterVariables() {
			if strings.HasSuffix(v.Path(), "/running_mean") {
				for _, x := range tensors.MustCopyFlatData[float32](v.MustValue()) {
					m[v.Path()] += x * x
				}
			}
		}
		return m
	}
	run(false)
	before := means()
	run(true)
	moved := map[bool]int{}
	for path, x := range means() {
		head := strings.Contains(path, "/classifier/")
		if (x != before[path]) != head {
			t.Errorf("%s: moved %t", path, x != before[path])
		}
		moved[head]++
	}
	if moved[true] == 0 || moved[false] == 0 {
		t.Fatalf("statistics of backbone and head: %v", moved)
	}
}

func TestNewRejects(t *testing.T) {
	for want, change := range map[string]func(*configs.Train){
		"train.network.backbone":      func(c *configs.Train) { c.Backbone = "vgg19" },
		"train.network.arch":          func(c *configs.Train) { c.Arch = "unet" },
		"train.network.stride_in":     func(c *configs.Train) { c.StrideIn = "" },
		"train.network.batch_norm":    func(c *configs.Train) { c.BatchNorm = "maybe" },
		"train.network.output_stride": func(c *configs.Train) { c.OutputStride = 4 },
		"width":                       func(c *configs.Train) { c.Width = -1 },
	} {
		c := configs.Default().Train
		change(&c)
		if _, err := New(c, 21); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := models.NewSegmenter(configs.Default().Train, 1); err == nil {
		t.Error("one class is accepted")
	}
}
