package imagenet

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
)

// TestNetworkTogether: images that share runs of a network get the features that
// each gets alone, and their mirror images' behind them.
func TestNetworkTogether(t *testing.T) {
	build := func(scope *model.Scope, images *Node) *Node {
		return layers.Net{}.Conv(scope, "conv", images, 4, 3, true, 1, layers.ConvOptions{Stride: 2, Pad: 1, ReLU: true})
	}
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		store, err := variables(build)
		if err != nil {
			t.Fatal(err)
		}
		n := newNetwork(b, store, Options{Flip: true}.defaults(b), build)
		backendtest.SharedRuns(t, 6, 1e-5, func(i int) ([]float32, error) {
			img := imageproc.NewRGB(20+i%2, 16)
			for k := range img.Pix {
				img.Pix[k] = uint8(k * (k + i) / 7)
			}
			views, err := n.run(t.Context(), img)
			if err != nil {
				return nil, err
			}
			if len(views) != 2 || views[0].w != 10+i%2 || views[0].h != 8 {
				t.Errorf("image %d: %d views of %d×%d", i, len(views), views[0].w, views[0].h)
			}
			return append(views[0].values, views[1].values...), nil
		})
	})
}
