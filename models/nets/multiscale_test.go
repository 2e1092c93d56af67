package nets

import (
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
)

// TestMultiScale: MSC wraps every architecture that gives a logit per class. In
// training it gives the maps of three scales and their maximum, else that alone,
// with the variables, groups and layers of the network itself.
func TestMultiScale(t *testing.T) {
	backbones := map[string]string{"deeplab-v1": "vgg16", "vit-linear": "dinov2-s14-reg", "vit-mask": "dinov2-s14-reg"}
	b := backendtest.One(t)
	for _, arch := range models.Architectures() {
		if arch == "mask2former" {
			continue // learns by a loss of its own: TestMask2FormerEdges
		}
		t.Run(arch, func(t *testing.T) {
			c := configs.Default().Train
			c.Arch, c.Backbone, c.Width, c.OutputStride, c.StrideIn, c.MSC = arch, "resnet18", 1./6, 16, "3x3", false
			if name := backbones[arch]; name != "" {
				c.Backbone = name
			}
			plain, err := models.NewSegmenter(c, 3)
			if err != nil {
				t.Fatal(err)
			}
			c.MSC = true
			net, err := models.NewSegmenter(c, 3)
			if err != nil {
				t.Fatal(err)
			}
			store := model.NewStore()
			store.SetParam(model.ParamInitialSeed, int64(1))
			pixels := make([]float32, 2*65*57*3)
			for i := range pixels {
				pixels[i] = float32(math.Sin(float64(i) * 0.37))
			}
			images := tensors.FromFlatDataAndDimensions(pixels, 2, 65, 57, 3)
			defer images.FinalizeAll() //nolint:errcheck // memory only
			out := model.MustCallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
				alone := plain.Logits(scope, x, false)[0]
				half := plain.Logits(scope, layers.Resize(x, 32, 28, false), false)[0]
				most := plain.Logits(scope, layers.Resize(x, 48, 42, false), false)[0]
				h, w := alone.Shape().Dim(1), alone.Shape().Dim(2)
				want := Max(Max(alone, layers.Resize(half, h, w, false)), layers.Resize(most, h, w, false))
				got := net.Logits(scope, x, false)
				return append(got, ReduceAllMax(Abs(Sub(got[0], want))))
			}, images)
			if len(out) != 2 {
				t.Fatalf("%d maps to predict with", len(out)-1)
			}
			if off := tensors.ToScalar[float32](out[1]); !(off <= 1e-5) {
				t.Errorf("off the maximum of three scales by %g", off)
			}
			var variables []string
			for v := range store.IterVariables() {
				variables = append(variables, v.Path())
				if net.Group(v.Path()) != plain.Group(v.Path()) {
					t.Errorf("%s is of another group", v.Path())
				}
			}
			var sizes []string
			both := model.NewStore()
			model.MustCallOnceN(b, both, func(scope *model.Scope, x *Node) []*Node {
				both.SetTraining(x.Graph(), true)
				maps := net.Logits(scope, x, true)
				for _, m := range maps {
					sizes = append(sizes, fmt.Sprint(m.Shape().Dimensions))
				}
				return maps
			}, images)
			if len(sizes) != 4 || sizes[0] != sizes[3] || sizes[1] == sizes[0] || sizes[2] == sizes[0] {
				t.Errorf("maps to learn from: %v", sizes)
			}
			for v := range both.IterVariables() {
				if path := v.Path(); !slices.Contains(variables, path) && path != "/#rngState" {
					t.Errorf("MSC makes the variable %s", path)
				}
			}
			if l, ok := models.As[models.Layered](net); !ok || l.Layers() == 0 {
				t.Error("its layers are not told")
			}
			if _, ok := models.As[models.WeightReader](net); !ok {
				t.Error("it does not know the names of weight files")
			}
		})
	}
}
