package data

import (
	"context"
	"errors"
	"fmt"
)

// HasTruth tells whether a sample has a true mask. A dataset that knows without
// reading masks says so by a method of this name.
func HasTruth(ds Dataset, id string) (bool, error) {
	if d, ok := ds.(interface {
		HasTruth(id string) (bool, error)
	}); ok {
		return d.HasTruth(id)
	}
	_, err := ds.Load(id, WantTruth)
	if errors.Is(err, ErrNoTruth) {
		return false, nil
	}
	return err == nil, err
}

// WithTruth lists those of ids that have a true mask, in their order.
func WithTruth(ctx context.Context, ds Dataset, ids []string) ([]string, error) {
	has := make([]bool, len(ids))
	err := Parallel(ctx, len(ids), nil, func(i int) (err error) {
		has[i], err = HasTruth(ds, ids[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []string
	for i, id := range ids {
		if has[i] {
			out = append(out, id)
		}
	}
	return out, nil
}

// AnyTruth tells whether one of ids has a true mask; it looks no further than
// the first that does.
func AnyTruth(ctx context.Context, ds Dataset, ids []string) (bool, error) {
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		if has, err := HasTruth(ds, id); has || err != nil {
			return has, err
		}
	}
	return false, nil
}

// LabelCounts is how many images have true masks and each form of weak label.
type LabelCounts struct {
	Images, Looked int // of all, so many were looked at
	Masks          int
	Weak           map[WeakKind]int
	Nothing        int // images with none of them
}

// String is "masks 3, boxes 10, …".
func (n LabelCounts) String() string {
	text := ""
	if n.Looked < n.Images {
		text = fmt.Sprintf("of %d looked at, ", n.Looked)
	}
	text += fmt.Sprintf("masks %d, boxes %d, scribbles %d, points %d, tags %d", n.Masks, n.Weak[WeakBoxes], n.Weak[WeakScribbles], n.Weak[WeakPoints], n.Weak[WeakTags])
	if n.Nothing > 0 {
		text += fmt.Sprintf(", nothing %d", n.Nothing)
	}
	return text
}

// CountLabels looks at up to most images, spread over ids (0 = all), for what
// labels they have.
func CountLabels(ctx context.Context, ds Dataset, ids []string, most int) (LabelCounts, error) {
	n := LabelCounts{Images: len(ids), Looked: len(ids), Weak: map[WeakKind]int{}}
	if most > 0 {
		n.Looked = min(n.Looked, most)
	}
	masks, weak := make([]bool, n.Looked), make([]WeakLabels, n.Looked)
	err := Parallel(ctx, n.Looked, nil, func(i int) (err error) {
		id := ids[i*len(ids)/n.Looked]
		if masks[i], err = HasTruth(ds, id); err != nil {
			return err
		}
		s, err := ds.Load(id, WantWeak)
		if err == nil {
			weak[i] = s.Weak
		}
		return err
	})
	for i, w := range weak {
		any := masks[i]
		if masks[i] {
			n.Masks++
		}
		for _, kind := range WeakKinds[1:] {
			if w.Has(kind) {
				n.Weak[kind]++
				any = true
			}
		}
		if !any {
			n.Nothing++
		}
	}
	return n, err
}
