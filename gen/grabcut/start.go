package grabcut

import (
	"context"
	"image"
	"math"
	"slices"

	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
)

// start is what another method says about each pixel of an image.
type start struct {
	w      int
	scores *source.Scores // with the background first
}

// startOf asks the source. Labels count as scores of 0 and 1, undecided pixels
// as equal for all.
func startOf(ctx context.Context, from *source.Source, s *data.Sample) (*start, error) {
	size := s.Image.Rect.Size()
	if from.HasScores() {
		scores, err := from.Scores(ctx, s)
		if err != nil {
			return nil, err
		}
		return &start{size.X, scores.WithBackground(from.Rule())}, nil
	}
	label, _, err := from.Label(ctx, s)
	if err != nil {
		return nil, err
	}
	return &start{size.X, oneHot(label)}, nil
}

// oneHot are the scores of a label.
func oneHot(label *data.LabelMap) *source.Scores {
	out := &source.Scores{W: label.W, H: label.H}
	for class, present := range label.Present() {
		if class == data.Ignore || class != 0 && !present {
			continue
		}
		m := make([]float32, len(label.Pix))
		for i, v := range label.Pix {
			switch int(v) {
			case class:
				m[i] = 1
			case data.Ignore:
				m[i] = 0.5
			}
		}
		out.Classes, out.Maps = append(out.Classes, class), append(out.Maps, m)
	}
	return out
}

// maxLean bounds the log odds that another method's scores can give.
const maxLean = 4

// odds are the log of how much higher the score of a class is at pixel i than
// the highest of all others.
func (s *start) odds(class, i int) float32 {
	const tiny = 1e-3
	var own, other float32
	for k, c := range s.scores.Classes {
		if v := s.scores.Maps[k][i]; c == class {
			own = v
		} else {
			other = max(other, v)
		}
	}
	odds := math.Log(float64(max(own, 0)+tiny)) - math.Log(float64(max(other, 0)+tiny))
	return float32(max(-maxLean, min(maxLean, odds)))
}

// lean adds the log odds of a class to the prior of the open pixels inside a
// rectangle, and takes their first labels from the sum. A nil start, or one
// that knows nothing of the class, changes nothing.
func (s *start) lean(r *region, class int, inside image.Rectangle, trust float64) {
	if s == nil || !slices.Contains(s.scores.Classes, class) {
		return
	}
	w := r.rect.Dx()
	for y := inside.Min.Y; y < inside.Max.Y; y++ {
		for x := inside.Min.X; x < inside.Max.X; x++ {
			i := (y-r.rect.Min.Y)*w + x - r.rect.Min.X
			if r.trimap[i] == Fgd || r.trimap[i] == Bgd {
				continue
			}
			odds := s.odds(class, y*s.w+x)
			r.prior[i] += float32(trust) * odds
			r.trimap[i] = ProbBgd
			if r.prior[i] > 0 || trust == 0 && odds > 0 {
				r.trimap[i] = ProbFgd
			}
		}
	}
}

// tagsFrom cuts one mask per tag that another method finds in the image: what
// it says is the first label of each pixel, and the prior. Pixels that the cuts
// of several tags claim go to the one that the other method prefers there.
func (c *cutter) tagsFrom(tags []int) ([]gen.Mask, error) {
	bounds := c.img.Rect
	owner := make([]int16, bounds.Dx()*bounds.Dy())
	for i := range owner {
		owner[i] = unmarked
	}
	tags = slices.Compact(slices.Sorted(slices.Values(tags)))
	masks := make([]gen.Mask, len(tags))
	for t, class := range tags {
		r := newRegion(bounds)
		for i := range r.trimap {
			r.trimap[i] = ProbBgd
		}
		c.start.lean(r, class, bounds, c.opts.Trust)
		if !slices.Contains(r.trimap, ProbFgd) {
			continue
		}
		inside, score, stability, err := c.cut(r)
		if err != nil {
			return nil, err
		}
		masks[t] = gen.Mask{Class: class, Score: score, Stability: stability, From: gen.Prompt{Class: class, Source: "tag", Score: 1}}
		for i, in := range inside {
			if in != 0 && (owner[i] == unmarked || c.start.odds(class, i) > c.start.odds(tags[owner[i]], i)) {
				owner[i] = int16(t)
			}
		}
	}
	bits := make([]uint8, len(owner))
	for t := range masks {
		for i, o := range owner {
			bits[i] = 0
			if int(o) == t {
				bits[i] = 1
			}
		}
		masks[t].Bits = data.EncodeRLE(bits, bounds.Dx(), bounds.Dy())
	}
	return slices.DeleteFunc(masks, func(m gen.Mask) bool { return m.Class == 0 || m.Bits.Area() == 0 }), nil
}
