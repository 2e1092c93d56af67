package sam

import (
	"context"
	"fmt"

	"wsss/data"
	"wsss/data/imageproc"
)

// fit is the IoU that the mask of a plain disc has at least, where encoder and
// decoder are of one model. A decoder that does not know the encoder's
// embeddings finds anything but the disc.
const fit = 0.7

// Fits checks that encoder and decoder, which may come from different exports,
// belong to one model: it asks for a disc by its box, and by a click into it.
func (m *Model) Fits(ctx context.Context) error {
	const side, radius = 256, 60
	centre := [2]float64{140, 120}
	img, disc := imageproc.NewRGB(side, side), make([]uint8, side*side)
	for i := range disc {
		x, y := float64(i%side)+0.5-centre[0], float64(i/side)+0.5-centre[1]
		colour := [3]uint8{70, 110, 60}
		if x*x+y*y < radius*radius {
			disc[i], colour = 1, [3]uint8{220, 60, 50}
		}
		copy(img.Pix[3*i:], colour[:])
	}
	e, err := m.Embed(ctx, img)
	if err != nil {
		return err
	}
	defer e.Free()
	prompts := []Prompt{{Points: []Point{{X: centre[0], Y: centre[1]}}}}
	if m.TakesBoxes() {
		prompts = append(prompts, Prompt{Box: &data.Box{X0: 80, Y0: 60, X1: 200, Y1: 180}})
	}
	results, err := m.Predict(ctx, e, prompts)
	if err != nil {
		return err
	}
	defer Free(results)
	for i, r := range results {
		best := 0.0
		for k := range r.IoU {
			low, err := r.Logits(k)
			if err != nil {
				return err
			}
			best = max(best, overlap(Threshold(e.Upscale(low, r.LowSide)), disc))
		}
		if best < fit {
			asked := []string{"a click into it", "its box"}[i]
			return fmt.Errorf("encoder and decoder do not fit: of a plain disc, asked for by %s, the best mask has an IoU of %.2f (at least %.1f is expected): they are of different models", asked, best, fit)
		}
	}
	return nil
}

// overlap is the IoU of two masks.
func overlap(a, b []uint8) float64 {
	both, either := 0, 0
	for i := range a {
		if a[i]&b[i] != 0 {
			both++
		}
		if a[i]|b[i] != 0 {
			either++
		}
	}
	if either == 0 {
		return 0
	}
	return float64(both) / float64(either)
}
