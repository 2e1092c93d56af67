package data

import (
	"context"
	"errors"
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
