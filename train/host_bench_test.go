package train

import (
	"image"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

// BenchmarkHostWork is what the host does for an image of VOC's size before a
// network that runs elsewhere gets it: on canvases, at one scale and at five
// with their mirror images. It is of one core.
func BenchmarkHostWork(b *testing.B) {
	net, err := NewSegmenter(configs.Default().Train, 21)
	if err != nil {
		b.Fatal(err)
	}
	e := backendtest.Open(b, "go")
	img := noisy(image.Pt(500, 375))
	for name, opts := range map[string]PredictOptions{"one scale": {Scales: []float64{1}}, "five scales and flip": {Scales: []float64{0.5, 0.75, 1, 1.25, 1.5}, Flip: true}} {
		b.Run(name, func(b *testing.B) {
			p, err := NewPredictor(e, net, model.NewStore(), "torch", PredictOptions{Scales: opts.Scales, Flip: opts.Flip, Bucket: 1, Shapes: 1})
			if err != nil {
				b.Fatal(err)
			}
			p.on = net.(models.CanvasSegmenter)
			for b.Loop() {
				p.input(img).free()
			}
		})
	}
}
