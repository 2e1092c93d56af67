package train

import (
	"context"
	"fmt"
	"math"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/words"
	"wsss/models/tiles"
	"wsss/train/loop"
)

// Validate is loop.Task's.
func (r *run) Validate(ctx context.Context, step int) (loop.Validation, error) {
	scores, err := r.score(ctx)
	if err != nil {
		return loop.Validation{}, err
	}
	rec := Record{Step: step, ValMIoU: &scores.MIoU, Images: len(r.valIDs)}
	for _, iou := range scores.IoU {
		if math.IsNaN(iou) {
			iou = -1
		}
		rec.ValIoU = append(rec.ValIoU, iou)
	}
	return loop.Validation{Value: scores.MIoU, Record: rec,
		Text: fmt.Sprintf("validation mIoU %.2f %% on %s", 100*scores.MIoU, words.Plural(len(r.valIDs), "image"))}, nil
}

// score computes one confusion matrix over the validation images.
func (r *run) score(ctx context.Context) (metrics.Scores, error) {
	counts, err := metrics.NewConfusion(r.Classes.Len())
	if err != nil {
		return metrics.Scores{}, err
	}
	r.val.Foresee(r.valShapes)
	predictor := tiles.Wrap(r.val, tiles.For(r.Classes.Len()))
	for _, id := range r.valIDs {
		s, err := r.Dataset.Load(id, data.WantImage|data.WantTruth)
		if err != nil {
			return metrics.Scores{}, err
		}
		labels, err := predictor.Predict(ctx, s.Image)
		if err != nil {
			return metrics.Scores{}, fmt.Errorf("validate %s: %w", id, err)
		}
		if labels.Size() != s.Truth.Size() {
			return metrics.Scores{}, fmt.Errorf("%s: mask of %d×%d pixels for an image of %d×%d", id, s.Truth.W, s.Truth.H, labels.W, labels.H)
		}
		if err := counts.Add(s.Truth.Pix, labels.Pix); err != nil {
			return metrics.Scores{}, fmt.Errorf("validate %s: %w", id, err)
		}
	}
	scores := counts.Scores(metrics.Protocol{})
	if math.IsNaN(scores.MIoU) {
		return scores, fmt.Errorf("the %d validation images have no labelled pixel", len(r.valIDs))
	}
	return scores, nil
}
