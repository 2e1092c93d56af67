package gen

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"wsss/data"
	"wsss/data/corrections"
)

// ErrRejected is wrapped by the error for an image that a person rejected in
// review. Like one without labels it is left out.
var ErrRejected = fmt.Errorf("%w: rejected in review", ErrUnlabelled)

// product is a label with the masks that it was made from.
type product struct {
	label     *data.LabelMap
	masks     []Mask
	corrected string        // what a person corrected; "" = nothing
	fusing    time.Duration // of the time that it took
}

// produce makes the label of a sample, with what a person corrected of it.
// Accepted labels are as they were accepted; no method is asked.
func (r *runner) produce(ctx context.Context, s *data.Sample) (p product, err error) {
	c, _, err := corrections.Of(r.Dataset, s.ID)
	if err != nil {
		return p, err
	}
	if c.Empty() {
		if p.masks, err = r.generate(ctx, s); err != nil {
			return p, err
		}
		start := time.Now()
		p.label, err = r.fuse(s.Image.Rect.Size(), p.masks)
		p.fusing = time.Since(start)
		return p, err
	}
	if p.label, p.masks, err = r.under(ctx, s, c); err != nil {
		return p, err
	}
	if err := corrections.Over(r.Dataset, s.ID, p.label); err != nil {
		return p, err
	}
	if c.Verdict == corrections.Accepted {
		p.masks = LabelMasks(p.label, nil, SourceReview)
	}
	p.corrected = describe(c)
	return p, nil
}

// under is the label that corrected pixels go over.
func (r *runner) under(ctx context.Context, s *data.Sample, c *corrections.Correction) (label *data.LabelMap, masks []Mask, err error) {
	size := s.Image.Rect.Size()
	switch c.Verdict {
	case corrections.Accepted:
		return data.NewLabelMap(size.X, size.Y), nil, nil
	case corrections.Rejected:
		return nil, nil, ErrRejected
	}
	if !c.Prompted || !Prompted(r.Weak) {
		masks, err = r.generate(ctx, s)
		if err == nil {
			label, err = r.fuse(size, masks)
		} else if errors.Is(err, ErrUnlabelled) { // only what was drawn is known
			masks, err = nil, nil
			label = data.NewLabelMap(size.X, size.Y)
			for i := range label.Pix {
				label.Pix[i] = data.Ignore
			}
		}
		if err != nil || !c.Prompted {
			return label, masks, err
		}
	}
	if len(c.Prompts) == 0 {
		if label == nil {
			label = data.NewLabelMap(size.X, size.Y)
		}
		return label, masks, nil
	}
	prompter, err := r.prompter()
	if err != nil {
		return nil, nil, err
	}
	on, err := prompter.Look(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	var own []Mask
	for i := range c.Prompts {
		m, err := Answer(ctx, on, &c.Prompts[i])
		if err != nil {
			return nil, nil, err
		}
		if m.Bits.Area() > 0 {
			own = append(own, m)
		}
	}
	label, err = OverPrompts(r.fuser, size, own, label)
	return label, append(masks, own...), err
}

// describe says how a label was corrected, for its sidecar.
func describe(c *corrections.Correction) string {
	if c.Verdict == corrections.Accepted {
		return "accepted"
	}
	var parts []string
	if c.Prompted {
		parts = append(parts, "prompts")
	}
	if c.Tagged {
		parts = append(parts, "tags")
	}
	if len(c.Painted) > 0 {
		parts = append(parts, "pixels")
	}
	return strings.Join(parts, ", ")
}
