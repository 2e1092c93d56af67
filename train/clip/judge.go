package clip

import (
	"context"
	"fmt"
	"image"

	"wsss/data/imageproc"
	"wsss/data/metrics"
	"wsss/models/foundation/cliptags"
	"wsss/train/multilabel"
)

// Judged is one way to name the classes in images, and how well it does.
type Judged struct {
	Name string `json:"name"`
	*metrics.MultiLabel
}

// Trial is what classifiers are judged on: the validation images, and images
// that were held out of the training, on which thresholds are chosen. Without
// these they are chosen on the validation images, which flatters.
type Trial struct {
	Val, Held         *multilabel.Examples
	ValZero, HeldZero [][]float32 // probabilities of CLIP without training; nil = not known
	Beta              float64     // of the F-measure that thresholds are best by; 0 = 1
}

// Judge measures CLIP without training, a classifier, and both together with
// the given weight of the former, and writes the thresholds found beside the
// classifier. What is not known or has no weight is left out.
func Judge(ctx context.Context, l *cliptags.Labeler, t Trial, weight float64, progress func(done, total int)) ([]Judged, error) {
	total, before := len(t.Val.IDs), 0
	if t.Held != nil {
		total += len(t.Held.IDs)
	}
	score := func(s *multilabel.Examples) ([][]float32, error) {
		if s == nil {
			return nil, nil
		}
		rows := make([][]float32, len(s.IDs))
		count := func(done, _ int) {
			if progress != nil {
				progress(before+done, total)
			}
		}
		err := s.Each(ctx, count, func(i int, img image.Image) (err error) {
			rows[i], err = l.Own(ctx, imageproc.FromImage(img))
			return err
		})
		before += len(s.IDs)
		return rows, err
	}
	val, err := score(t.Val)
	if err != nil {
		return nil, err
	}
	held, err := score(t.Held)
	if err != nil {
		return nil, err
	}
	var out []Judged
	add := func(name string, val, held [][]float32) error {
		var thresholds []float64
		if held != nil {
			m, err := multilabel.Measure(t.Held, held, nil, t.Beta)
			if err != nil {
				return fmt.Errorf("images held out for thresholds: %w", err)
			}
			thresholds = m.Threshold
		}
		m, err := multilabel.Measure(t.Val, val, thresholds, t.Beta)
		out = append(out, Judged{name, m})
		return err
	}
	if t.ValZero != nil {
		if err := add("CLIP without training", t.ValZero, t.HeldZero); err != nil {
			return nil, err
		}
	}
	if err := add("fine-tuned CLIP", val, held); err != nil {
		return nil, err
	}
	l.Val = out[len(out)-1].MultiLabel
	l.Threshold, l.Ensemble = l.Val.Threshold, nil
	if t.ValZero != nil && weight > 0 {
		if err := add("both", mixAll(val, t.ValZero, weight), mixAll(held, t.HeldZero, weight)); err != nil {
			return nil, err
		}
		l.Ensemble = &cliptags.Ensemble{Weight: weight, Threshold: out[len(out)-1].Threshold}
	}
	return out, l.WriteDescription()
}

func mixAll(a, b [][]float32, weight float64) [][]float32 {
	if a == nil || b == nil {
		return nil
	}
	out := make([][]float32, len(a))
	for i := range a {
		out[i] = cliptags.Mean(a[i], b[i], weight)
	}
	return out
}
