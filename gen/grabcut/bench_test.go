package grabcut

import (
	"image"
	"testing"

	"wsss/data"
	"wsss/gen"
)

// A box over half of an image of the size of VOC's.
func BenchmarkBox(b *testing.B) {
	at := image.Rect(120, 80, 400, 330)
	img, _ := disc(500, 375, at)
	m, err := gen.New(genEnv(data.WeakBoxes))
	if err != nil {
		b.Fatal(err)
	}
	box := data.Box{X0: 120, Y0: 80, X1: 400, Y1: 330, Class: 1}
	for b.Loop() {
		if _, err := m.Generate(b.Context(), &data.Sample{Image: img, Weak: data.WeakLabels{Boxes: []data.Box{box}}}); err != nil {
			b.Fatal(err)
		}
	}
}
