package promptsam

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"wsss/data"
	"wsss/gen"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/sam"
)

// insideOptions say how masks come from detected boxes. box2024 can be read
// both ways (docs/sources.md §7).
type insideOptions struct {
	Inside string          `toml:"inside"`       // box: SAM is prompted with the box; auto: the automatic masks that fill it
	Ratio  float64         `toml:"inside_ratio"` // auto: least IoU of a mask's box with the detected one
	Auto   sam.AutoOptions `toml:"auto"`         // the automatic generator's parameters
}

const (
	insideBox  = "box"
	insideAuto = "auto"
)

func defaultInside() insideOptions {
	return insideOptions{Inside: insideBox, Ratio: 0.3, Auto: sam.DefaultAutoOptions()}
}

func (o insideOptions) check() error {
	if o.Inside != insideBox && o.Inside != insideAuto {
		return fmt.Errorf("gen.options.inside = %q: allowed are box, auto", o.Inside)
	}
	if !(o.Ratio > 0 && o.Ratio <= 1) {
		return fmt.Errorf("gen.options.inside_ratio = %v: allowed is above 0, up to 1", o.Ratio)
	}
	if err := o.Auto.Check(); err != nil {
		return fmt.Errorf("gen.options.auto.%w", err)
	}
	return nil
}

// inside gives each box the automatic masks whose own boxes overlap it by at
// least the ratio, the whole before its parts: largest first. A box that none
// fits is prompted with.
func (e *engine) inside(ctx context.Context, s *data.Sample, prompts []gen.Prompt, o insideOptions) ([]gen.Mask, error) {
	found, err := e.model.Auto(ctx, imageproc.FromImage(s.Image), o.Auto)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b sam.AutoMask) int { return cmp.Compare(b.Bits.Area(), a.Bits.Area()) })
	var masks []gen.Mask
	var empty []gen.Prompt
	for _, p := range prompts {
		before := len(masks)
		for _, f := range found {
			own := data.Box{X0: float32(f.Box.X0), Y0: float32(f.Box.Y0), X1: float32(f.Box.X1 + 1), Y1: float32(f.Box.Y1 + 1)}
			if float64(gdino.IoU(own, *p.Box)) >= o.Ratio {
				masks = append(masks, gen.Mask{
					Class: p.Class, Bits: f.Bits, From: p, Score: min(max(f.IoU, 0), 1) * p.Score, Stability: f.Stability,
				})
			}
		}
		if len(masks) == before {
			empty = append(empty, p)
		}
	}
	if len(empty) == 0 {
		return masks, nil
	}
	more, err := e.masks(ctx, s, empty, false)
	return append(masks, more...), err
}
