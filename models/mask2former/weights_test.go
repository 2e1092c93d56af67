package mask2former

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/pretrained"
	"wsss/models/weights/weightstest"
)

// TestClassWeights: with a weight of 1 for each class the loss is that without any;
// with others its terms are the weighted means of those of each class alone.
func TestClassWeights(t *testing.T) {
	n := smallNet(t, "swin")
	n.NoObject = 0 // the mean of the classes' term has no other queries
	chosen := []float64{0.5, 3, 2, 0.25}[:classes]
	ways := [][]float64{nil, ones(classes), chosen}
	for c := range classes { // one class alone
		alone := make([]float64, classes)
		alone[c] = 1
		ways = append(ways, alone)
	}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		store := variables(t, n)
		if _, err := pretrained.Load(store.RootScope(), n.Adapt(weightstest.Open(t, "testdata/swin.safetensors")), n.Rename); err != nil {
			t.Fatal(err)
		}
		out := model.MustCallOnceN(b, store, func(scope *model.Scope, in []*Node) (out []*Node) {
			all := n.predict(n.net(false), scope, in[0])
			for _, w := range ways {
				terms := n.terms(all, models.Lesson{Images: in[0], Labels: in[1], Present: in[2], ClassWeights: w}, fixed(in[0].Graph(), n, len(all)*2))
				out = append(out, terms.class, terms.mask, terms.dice)
			}
			return out
		}, picture(), labelled(), presence(n))
		term := func(way, i int) []float32 { return tensors.MustCopyFlatData[float32](out[3*way+i]) }
		objects := make([]float64, classes) // of both images
		for image := range 2 {
			for _, c := range present(image) {
				objects[c]++
			}
		}
		for i, what := range []string{"class", "mask", "dice"} {
			for layer, plain := range term(0, i) {
				at := fmt.Sprintf("%s of layer %d", what, layer)
				near(t, at+", weights of 1", float64(term(1, i)[layer]), float64(plain), 1e-5)
				got, want, sum := float64(term(2, i)[layer]), 0.0, 0.0
				for c, w := range chosen {
					want += w * objects[c] * float64(term(3+c, i)[layer])
					sum += w * objects[c]
				}
				near(t, at, got, want/sum, 1e-5)
			}
		}
	})
}

func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}
