package train

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data/datatest"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

// TestPredictorCanvas: images that share canvases get the logits of images at
// their own size, at one scale and at several with their mirror images.
func TestPredictorCanvas(t *testing.T) {
	cfg := configs.Default().Train
	cfg.Arch, cfg.Backbone, cfg.Width, cfg.OutputStride, cfg.StrideIn, cfg.BatchNorm, cfg.MSC = "deeplab-v3plus", "resnet18", 0.125, 16, "3x3", "frozen", false
	net, err := NewSegmenter(cfg, 5)
	if err != nil {
		t.Fatal(err)
	}
	names := backendtest.Quick(t)
	if os.Getenv("WSSS_VERIFY") == "" {
		names = names[:1] // the others compile for a minute
	}
	backendtest.Each(t, names, func(t *testing.T, b compute.Backend) {
		for _, opts := range []PredictOptions{{}, {Scales: []float64{0.75}, Flip: true}, {Scales: []float64{0.5, 1, 1.25}, Flip: true}} {
			t.Run(fmt.Sprint(opts.Scales), func(t *testing.T) {
				opts.Bucket, opts.Shapes = 1, 20
				store := model.NewStore()
				open := func(on models.CanvasSegmenter) *Predictor {
					p, err := NewPredictor(b, net, store, "torch", opts)
					if err != nil {
						t.Fatal(err)
					}
					p.on = on
					t.Cleanup(p.Close)
					return p
				}
				exact, shared := open(nil), open(net.(models.CanvasSegmenter))
				for _, size := range []image.Point{{X: 90, Y: 70}, {X: 96, Y: 65}, {X: 41, Y: 100}} {
					compareScores(t, exact, shared, noisy(size))
				}
				if want := map[int]int{0: 4, 1: 4, 3: 4 + 6}[len(opts.Scales)]; shared.graphs.Len() != want {
					t.Errorf("%d graphs for labels and scores of two canvases at scales %v, want %d", shared.graphs.Len(), opts.Scales, want)
				}
			})
		}
	})
}

func noisy(size image.Point) *image.NRGBA {
	img := image.NewNRGBA(image.Rectangle{Max: size})
	r := rand.New(rand.NewPCG(uint64(size.X), uint64(size.Y)))
	for y := range size.Y {
		for x := range size.X {
			img.SetNRGBA(x, y, color.NRGBA{uint8(2*x + r.IntN(9)), uint8(3 * y), uint8(x * y / 9), 255})
		}
	}
	return img
}

func compareScores(t *testing.T, exact, shared *Predictor, img *image.NRGBA) {
	t.Helper()
	var want []float32
	ctx := context.Background()
	if err := exact.scores(ctx, img, func(_ int, z []float32) { want = append(want, z...) }); err != nil {
		t.Fatal(err)
	}
	at, most, off := 0, 0.0, 0.0
	err := shared.scores(ctx, img, func(_ int, z []float32) {
		for _, v := range z {
			most = max(most, math.Abs(float64(want[at])))
			off = max(off, math.Abs(float64(v-want[at])))
			at++
		}
	})
	if err != nil || at != len(want) {
		t.Fatalf("%d logits, want %d: %v", at, len(want), err)
	}
	if !(off <= 1e-4*most) {
		t.Errorf("%v: logits differ by %.2g of the largest, %.3g", img.Rect.Max, off/most, most)
	}
	a, err := exact.Predict(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	b, err := shared.Predict(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	if same := agreement(a, b); same < 0.999 {
		t.Errorf("%v: %.2f %% of the labels agree", img.Rect.Max, 100*same)
	}
}

// TestPredictorCompilations: VOC's photos need few graphs, at one scale and at
// five with their mirror images.
func TestPredictorCompilations(t *testing.T) {
	net, err := NewSegmenter(configs.Default().Train, 21)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		scales []float64
		most   int
	}{{[]float64{1}, 40}, {[]float64{0.5, 0.75, 1, 1.25, 1.5}, 120}, {[]float64{0.5, 0.75, 1, 1.25, 1.5, 1.75}, 140}} {
		p := &Predictor{on: net.(models.CanvasSegmenter), opts: PredictOptions{Scales: tt.scales, Flip: true, Bucket: 1}}
		graphs := map[compiled]bool{}
		for _, size := range datatest.PhotoSizes(500, 160) {
			for _, key := range p.needs(p.Shape(size)) {
				graphs[key] = true
			}
		}
		if t.Logf("scales %v: %d graphs", tt.scales, len(graphs)); len(graphs) > tt.most {
			t.Errorf("scales %v: %d graphs, want %d at most", tt.scales, len(graphs), tt.most)
		}
	}
}
