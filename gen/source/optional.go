package source

import (
	"context"

	"wsss/gen"
)

// Optional is a source that a method may have beside its own labels. Embedded in a
// method it tells its weights, and makes it a gen.Learner and a gen.Reader.
type Optional struct {
	From *Source // nil: none
}

// Weights are those of the method behind the source.
func (o Optional) Weights() map[string]string {
	if o.From == nil {
		return nil
	}
	return o.From.Weights()
}

// Learn lets the method behind the source learn.
func (o Optional) Learn(ctx context.Context, from gen.Lesson) error {
	if o.From == nil {
		return nil
	}
	return o.From.Learn(ctx, from)
}

// Inputs describes the folder of labels or scores, if any.
func (o Optional) Inputs() (map[string]string, error) {
	if o.From == nil {
		return nil, nil
	}
	return o.From.Inputs()
}

// InputFiles is the image's file of labels or scores, if any.
func (o Optional) InputFiles(id string) ([]string, error) {
	if o.From == nil {
		return nil, nil
	}
	return o.From.InputFiles(id)
}
