package sam

import (
	"context"
	"image"

	"github.com/gomlx/compute"

	"wsss/data"
)

// Asked is a mask of a result that is to be made as large as the image.
type Asked struct {
	Result
	Mask   int              // index among the result's
	Inside *image.Rectangle // of the image; nothing outside belongs to the mask. nil: all may.
}

func (a Asked) inside(f Frame) image.Rectangle {
	whole := image.Rect(0, 0, f.W, f.H)
	if a.Inside == nil {
		return whole
	}
	return a.Inside.Intersect(whole)
}

// Outline is a mask of the image.
type Outline struct {
	Bits      data.RLE
	Stability float32 // see Stability
}

// stable tells whether a mask is wanted; 0 wants all.
func (o Outline) stable(least float64) bool {
	return least <= 0 || o.Stability >= float32(least) // not NaN: nothing is in the mask
}

// ScoreOn makes the model enlarge and measure masks on the backend that it runs
// on, and keep logits there; else the host does. Numbers of prompts in a call are
// rounded up then, so that few graphs are compiled, and a decoder for one prompt
// answers eight at a time where there are so many. Masks are those of the host but for pixels whose logit is within
// rounding of 0 (docs/parity.md).
func (m *Model) ScoreOn(b compute.Backend) { m.scorer = newScorer(b) }

// Outlines enlarges masks of an image's results and measures their stability;
// those less stable than least get no bits.
func (m *Model) Outlines(ctx context.Context, e *Embedding, asked []Asked, offset, least float64) ([]Outline, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	list := make([]Outline, 0, len(asked))
	for len(asked) > 0 {
		from, n := asked[0].from, 1
		for n < len(asked) && asked[n].from == from {
			n++
		}
		var some []Outline
		var err error
		if from.tensor != nil && m.scorer != nil {
			some, err = m.scorer.outlines(e, from, asked[:n], offset, least)
		} else {
			some, err = e.outlines(asked[:n], offset, least)
		}
		if err != nil {
			return nil, err
		}
		list, asked = append(list, some...), asked[n:]
	}
	return list, nil
}

// outlines is what a scorer does, on the host.
func (f Frame) outlines(asked []Asked, offset, least float64) ([]Outline, error) {
	list := make([]Outline, len(asked))
	for i, a := range asked {
		low, err := a.Logits(a.Mask)
		if err != nil {
			return nil, err
		}
		logits := f.Upscale(low, a.LowSide)
		if a.Inside != nil {
			Keep(logits, f.W, *a.Inside)
		}
		list[i].Stability = Stability(logits, offset)
		if list[i].stable(least) {
			list[i].Bits = data.EncodeRLE(Threshold(logits), f.W, f.H)
		}
	}
	return list, nil
}

// never is a logit that no mask contains.
const never = -1e6

// Keep leaves of logits, w a row, nothing outside r.
func Keep(logits []float32, w int, r image.Rectangle) {
	for i := range logits {
		if !image.Pt(i%w, i/w).In(r) {
			logits[i] = never
		}
	}
}
