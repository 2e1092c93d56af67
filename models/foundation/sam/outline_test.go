package sam

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/backend/backendtest"
)

// TestKeep: a box keeps the pixels that it covers in part.
func TestKeep(t *testing.T) {
	logits := []float32{1, 2, 3, 4, 5, 6}
	box := data.Box{X0: 0.5, Y0: 0, X1: 2, Y1: 1}
	Keep(logits, 3, box.Rect())
	if want := []float32{1, 2, never, never, never, never}; !slices.Equal(logits, want) {
		t.Errorf("%v, want %v", logits, want)
	}
}

// TestOutlinesAgree: every engine enlarges and measures masks as the host does. A
// pixel may differ where its logit is within 1e-4 of 0.
func TestOutlinesAgree(t *testing.T) {
	const low, masks = 16, 9
	rng := rand.New(rand.NewPCG(7, 8))
	values := make([]float32, 3*masks*low*low)
	for i := range values {
		values[i] = float32(rng.NormFloat64()*3 + 6*math.Sin(float64(i)/9))
	}
	for i := range low * low { // the last mask is empty
		values[len(values)-1-i] = -5
	}
	box := image.Rect(10, 5, 40, 200)
	outside := image.Rect(500, 500, 510, 510)
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		scored := &Model{scorer: newScorer(b)}
		for _, f := range []Frame{NewFrame(90, 70, 64), NewFrame(33, 131, 64), NewFrame(64, 64, 64), NewFrame(1, 200, 64),
			{Side: 64, W: 75, H: 50, InW: 64, InH: 64, Squash: true}, {Side: 64, W: 75, H: 50, InW: 64, InH: 64, Squash: true, Linear: true}} {
			held := &answer{prompts: masks, masks: 3 * masks, side: low, values: values}
			from := &answer{prompts: masks, masks: 3 * masks, side: low, tensor: tensors.FromFlatDataAndDimensions(values, masks, 3, low, low)}
			var host, device []Asked
			for i := range masks {
				for k := range 3 {
					a := Asked{Result: Result{LowSide: low, IoU: make([]float32, 3), from: held, at: 3 * i}, Mask: k}
					switch (i + k) % 4 {
					case 1:
						a.Inside = &box
					case 2:
						if i == 4 {
							a.Inside = &outside
						}
					}
					host = append(host, a)
					a.from = from
					device = append(device, a)
				}
			}
			e := &Embedding{Frame: f}
			want, err := scored.Outlines(t.Context(), e, host, 1, 0.3)
			if err != nil {
				t.Fatal(err)
			}
			got, err := scored.Outlines(t.Context(), e, device, 1, 0.3)
			if err != nil {
				t.Fatal(err)
			}
			kept := 0
			for i, w := range want {
				g := got[i]
				if d := math.Abs(float64(g.Stability - w.Stability)); d > 2e-3 || math.IsNaN(float64(g.Stability)) != math.IsNaN(float64(w.Stability)) {
					t.Errorf("%v, mask %d: stability %v, want %v", f, i, g.Stability, w.Stability)
				}
				if (g.Bits.W == 0) != (w.Bits.W == 0) {
					t.Fatalf("%v, mask %d: kept %v, want %v", f, i, g.Bits.W != 0, w.Bits.W != 0)
				}
				if w.Bits.W == 0 {
					continue
				}
				kept++
				at, err := host[i].Logits(host[i].Mask)
				if err != nil {
					t.Fatal(err)
				}
				logits, a, c := f.Upscale(at, low), g.Bits.Decode(), w.Bits.Decode()
				for p := range a {
					if a[p] != c[p] && math.Abs(float64(logits[p])) > 1e-4 {
						t.Fatalf("%v, mask %d: pixel %d of logit %v differs", f, i, p, logits[p])
					}
				}
			}
			if kept == 0 || kept == len(want) {
				t.Errorf("%v: %d of %d masks kept", f, kept, len(want))
			}
			e.Free()
		}
	})
}
