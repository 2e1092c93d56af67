package load

import (
	"context"
	"math"
	"testing"

	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/gdino"
)

// TestPaddedCaptions: captions padded to multiples of 8 tokens find the same
// boxes, within the tolerance of docs/parity.md.
func TestPaddedCaptions(t *testing.T) {
	b := backendtest.Open(t, backendtest.Names(t)[0])
	o := gdino.DefaultOptions()
	o.BoxThreshold, o.PerClass = 0.02, false
	detect := func(share bool) []gdino.Detection {
		m, closer, err := GDINO(b, "../zoo/gdino.onnx", "../zoo/gdino_vocab.txt", o, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		if share {
			m.ShareShapes()
		}
		img := imageproc.NewRGB(160, 128)
		for i := range img.Pix {
			img.Pix[i] = uint8(i*i/977 + i/3)
		}
		found, err := m.Detect(context.Background(), img, []gdino.Class{{Index: 1, Phrase: "car"}, {Index: 2, Phrase: "fish"}, {Index: 3, Phrase: "house"}, {Index: 4, Phrase: "ring"}})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	want, got := detect(false), detect(true)
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d boxes, want %d, and some", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		far := math.Abs(float64(g.Score - w.Score))
		for _, d := range []float32{g.Box.X0 - w.Box.X0, g.Box.Y0 - w.Box.Y0, g.Box.X1 - w.Box.X1, g.Box.Y1 - w.Box.Y1} {
			far = max(far, math.Abs(float64(d))/160)
		}
		if far > 1e-3 || g.Phrase != w.Phrase || g.Box.Class != w.Box.Class {
			t.Errorf("box %d: %+v, want %+v", i, g, w)
		}
	}
}
