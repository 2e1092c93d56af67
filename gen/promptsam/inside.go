package promptsam

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"reflect"
	"slices"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/foundation/sam"
)

// insideOptions say how masks come from detected boxes. box2024 can be read
// both ways (docs/sources.md §7).
type insideOptions struct {
	Inside string          `toml:"inside"`       // box: SAM is prompted with the box; auto: the automatic masks that lie in it
	Ratio  float64         `toml:"inside_ratio"` // auto: least IoU of a whole object's pixels with the box's
	Auto   sam.AutoOptions `toml:"auto"`         // the automatic generator's parameters
}

const (
	insideBox  = "box"
	insideAuto = "auto"
)

func defaultInside() insideOptions {
	return insideOptions{Inside: insideBox, Ratio: 0.3, Auto: sam.DefaultAutoOptions()}
}

// check also refuses what the chosen way would not look at.
func (o insideOptions) check(merge string) error {
	if o.Inside != insideBox && o.Inside != insideAuto {
		return fmt.Errorf("gen.options.inside = %q: allowed are box, auto", o.Inside)
	}
	if !(o.Ratio > 0 && o.Ratio <= 1) {
		return fmt.Errorf("gen.options.inside_ratio = %v: allowed is above 0, up to 1", o.Ratio)
	}
	if err := o.Auto.Check(); err != nil {
		return fmt.Errorf("gen.options.auto.%w", err)
	}
	switch {
	case o.Inside == insideBox && !reflect.DeepEqual(o.Auto, sam.DefaultAutoOptions()):
		return fmt.Errorf("gen.options.auto is of inside = \"auto\", and this is inside = \"box\", which makes no automatic masks")
	case o.Inside == insideBox && o.Ratio != defaultInside().Ratio:
		return fmt.Errorf("gen.options.inside_ratio is of inside = \"auto\", and this is inside = \"box\"")
	case o.Inside == insideAuto && merge == mergeMaxLogit:
		return fmt.Errorf("gen.options.merge = %q needs logits, and inside = \"auto\" takes finished masks: allowed is %q", merge, mergeFuse)
	}
	return nil
}

// inside gives each box the automatic masks that lie in it, the whole before
// its parts. A box that none fits is prompted with, and the answer is cut to it.
func (e *engine) inside(ctx context.Context, s *data.Sample, prompts []gen.Prompt, o insideOptions) ([]gen.Mask, error) {
	found, err := e.model.Auto(ctx, imageproc.FromImage(s.Image), o.Auto)
	if err != nil {
		return nil, err
	}
	var masks []gen.Mask
	var empty []gen.Prompt
	for _, p := range prompts {
		own := group(found, p, o.Ratio)
		if len(own) == 0 {
			empty = append(empty, p)
		}
		masks = append(masks, own...)
	}
	if len(empty) == 0 {
		return masks, nil
	}
	boxed := *e
	boxed.crop = true
	more, err := boxed.masks(ctx, s, empty, false)
	return append(masks, more...), err
}

// candidate is an automatic mask and what it shares with a box.
type candidate struct {
	sam.AutoMask
	in      int     // its pixels inside the box
	overlap float64 // IoU of its pixels and the box's
}

// group picks the masks of one box, all cut to it, by the overlap of mask and
// box: the IoU of their pixels, which is low for a part, that fills little of
// the box, and for a background, that lies mostly outside. Masks that overlap
// by at least the ratio are the whole object; only where there is none, those
// at least half of which lies inside are its parts. Highest overlap first: a
// later mask keeps the pixels that those before it left, and one that keeps
// less than half of its own is a part of them and goes. Scores fall with the
// overlap, so that fusion keeps a whole above another box's part.
func group(found []sam.AutoMask, p gen.Prompt, ratio float64) []gen.Mask {
	var wholes, parts []candidate
	for _, f := range found {
		box := p.Box.Rect().Intersect(image.Rect(0, 0, f.Bits.W, f.Bits.H))
		c := candidate{AutoMask: f, in: areaIn(f.Bits, box)}
		all := f.Bits.Area()
		c.overlap = float64(c.in) / float64(max(1, all+box.Dx()*box.Dy()-c.in))
		switch {
		case c.in == 0:
		case c.overlap >= ratio:
			wholes = append(wholes, c)
		case 2*c.in >= all:
			parts = append(parts, c)
		}
	}
	if len(wholes) > 0 {
		return layers(wholes, p)
	}
	return layers(parts, p)
}

// layers turns a box's candidates into masks without a shared pixel.
func layers(chosen []candidate, p gen.Prompt) []gen.Mask {
	slices.SortStableFunc(chosen, func(a, b candidate) int { return cmp.Compare(b.overlap, a.overlap) })
	var masks []gen.Mask
	var taken []bool
	for _, c := range chosen {
		w, h := c.Bits.W, c.Bits.H
		if taken == nil {
			taken = make([]bool, w*h)
		}
		bits, left := make([]uint8, w*h), 0
		eachIn(c.Bits, p.Box.Rect(), func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if i := y*w + x; !taken[i] {
					bits[i] = 1
					left++
				}
			}
		})
		if 2*left < c.in {
			continue
		}
		for i, b := range bits {
			taken[i] = taken[i] || b != 0
		}
		masks = append(masks, gen.Mask{
			Class: p.Class, Bits: data.EncodeRLE(bits, w, h), From: p, Score: p.Score * float32(c.overlap), Stability: c.Stability,
		})
	}
	return masks
}

// eachIn is RLE.Each of what lies inside the box.
func eachIn(r data.RLE, box image.Rectangle, f func(x, y0, y1 int)) {
	r.Each(func(x, y0, y1 int) {
		y0, y1 = max(y0, box.Min.Y), min(y1, box.Max.Y)
		if x >= box.Min.X && x < box.Max.X && y0 < y1 {
			f(x, y0, y1)
		}
	})
}

func areaIn(r data.RLE, box image.Rectangle) int {
	n := 0
	eachIn(r, box, func(_, y0, y1 int) { n += y1 - y0 })
	return n
}
