package deeplab

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/backend/backendtest"
)

// TestCanvas: an image in the corner of a canvas, whatever lies beside it, gets
// the logits that it gets alone, for every architecture and size.
func TestCanvas(t *testing.T) {
	const canvasH, canvasW, beyond = 96, 128, 3
	sizes := [][2]int{{96, 128}, {70, 91}, {33, 64}, {65, 17}}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		for arch, backbone := range map[string]string{V2: "resnet18", V3Plus: "resnet50", V3PlusMultiGrid: "resnet18"} {
			cfg := tiny(arch, backbone)
			cfg.BatchNorm = "frozen"
			net := mustNew(t, cfg).(models.CanvasSegmenter)
			store := model.NewStore()
			within := model.MustNewExec(b, store, func(scope *model.Scope, x, size *Node) []*Node {
				logits, size := net.LogitsWithin(scope, x, size)
				return []*Node{logits, size}
			})
			defer within.Finalize()
			alone := model.MustNewExec1(b, store, func(scope *model.Scope, x *Node) *Node { return net.Logits(scope, x, false)[0] })
			defer alone.Finalize()
			for _, size := range sizes {
				t.Run(fmt.Sprint(arch, size), func(t *testing.T) {
					h, w := size[0], size[1]
					image, canvas := make([]float32, h*w*3), slices.Repeat([]float32{beyond}, canvasH*canvasW*3)
					for i := range image {
						image[i] = float32(math.Sin(float64(i) * 0.37))
					}
					for y := range h {
						copy(canvas[y*canvasW*3:], image[y*w*3:][:w*3])
					}
					want := alone.MustCall1(tensors.FromFlatDataAndDimensions(image, 1, h, w, 3))
					out := within.MustCall(tensors.FromFlatDataAndDimensions(canvas, 1, canvasH, canvasW, 3), []float32{float32(h), float32(w)})
					got, d := out[0], want.Shape().Dimensions
					if s := tensors.MustCopyFlatData[float32](out[1]); int(s[0]) != d[1] || int(s[1]) != d[2] {
						t.Fatalf("the map is %v, want %v", s, d)
					}
					a, g := tensors.MustCopyFlatData[float32](want), tensors.MustCopyFlatData[float32](got)
					most, off := 0.0, 0.0
					for y := range d[1] {
						for i := range d[2] * d[3] {
							v := float64(a[y*d[2]*d[3]+i])
							most = max(most, math.Abs(v))
							off = max(off, math.Abs(v-float64(g[y*got.Shape().Dim(2)*d[3]+i])))
						}
					}
					if !(off <= 1e-5*most) {
						t.Errorf("logits differ by %.2g of the largest, %.3g", off/most, most)
					}
				})
			}
		}
	})
}
