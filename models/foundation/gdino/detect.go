package gdino

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/prob"
	"wsss/models/foundation/tokenize"
)

// Assign says which class a box of a caption with several classes gets.
type Assign string

// The rules.
const (
	// BySpan takes the class whose tokens score highest.
	BySpan Assign = "span"
	// ByExact takes the class whose name is the decoded phrase, and drops the
	// box where there is none (docs/sources.md §2.4).
	ByExact Assign = "exact"
	// BySubstring takes the first class whose name is within the decoded
	// phrase, and drops the box where there is none (docs/sources.md §4).
	BySubstring Assign = "substring"
)

// Options are the thresholds and rules of a detector.
type Options struct {
	BoxThreshold   float64 `toml:"box_threshold"`   // boxes whose best token scores above it stay
	TextThreshold  float64 `toml:"text_threshold"`  // tokens above it make up the phrase
	PerClass       bool    `toml:"per_class"`       // one caption per class
	Assign         Assign  `toml:"assign"`          // class of a box of a joint caption: span, exact, substring
	RemoveCombined bool    `toml:"remove_combined"` // keep a phrase within the separators around its best token
	NMS            float64 `toml:"nms"`             // IoU above which the worse box of a class goes; 0 = all stay
	NMSAll         float64 `toml:"nms_all"`         // the same among the boxes of all classes
	ShortSide      int     `toml:"short_side"`      // pixels the image's shorter side is resized to …
	LongSide       int     `toml:"long_side"`       // … unless the longer one would exceed this
}

// DefaultOptions are the survey's: one caption per class, 0.30 and 0.25, no
// suppression (docs/sources.md §2.1); the size is the model's (§4).
func DefaultOptions() Options {
	return Options{BoxThreshold: 0.30, TextThreshold: 0.25, PerClass: true, Assign: BySpan, ShortSide: 800, LongSide: 1333}
}

// Check names the first option that makes no sense.
func (o Options) Check() error {
	for key, v := range map[string]float64{"box_threshold": o.BoxThreshold, "text_threshold": o.TextThreshold, "nms": o.NMS, "nms_all": o.NMSAll} {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("%s = %v: allowed is 0..1", key, v)
		}
	}
	if o.Assign != BySpan && o.Assign != ByExact && o.Assign != BySubstring {
		return fmt.Errorf("assign = %q: allowed are span, exact, substring", o.Assign)
	}
	if o.ShortSide < 32 || o.LongSide < o.ShortSide || o.LongSide > 4096 {
		return fmt.Errorf("short_side = %d, long_side = %d: allowed are 32 <= short_side <= long_side <= 4096", o.ShortSide, o.LongSide)
	}
	return nil
}

// Detection is a box with the class and the phrase that it answers.
type Detection struct {
	Box    data.Box // pixels of the image, not clipped; Class is set
	Score  float32  // of the best token, in 0..1
	Phrase string
}

// size is the resized image's: the shorter side becomes ShortSide, or less
// where the longer would exceed LongSide; the other is truncated.
func (o Options) size(w, h int) (int, int) {
	short, long := min(w, h), max(w, h)
	size := o.ShortSide
	if float64(long)/float64(short)*float64(size) > float64(o.LongSide) {
		size = int(math.RoundToEven(float64(o.LongSide) * float64(short) / float64(long)))
	}
	size = max(size, 1)
	switch {
	case short == size:
		return w, h
	case w < h:
		return size, int(float64(size) * float64(h) / float64(w))
	}
	return int(float64(size) * float64(w) / float64(h)), size
}

// read turns the model's answer to a caption into detections, in the order of
// the queries. logits are [queries, width] before the sigmoid, boxes
// [queries, 4] as centre and size in 0..1 of the image.
func (o Options) read(t *tokenize.BERT, c Caption, logits, boxes []float32, width, w, h int) []Detection {
	var found []Detection
	n := min(width, len(c.IDs))
	scores := make([]float32, n)
	limit := o.limits(c.classes)
	lowest := slices.Min(slices.Collect(maps.Values(limit)))
	for q := range len(boxes) / 4 {
		best := 0
		for i := range n {
			scores[i] = prob.Sigmoid(logits[q*width+i])
			if scores[i] > scores[best] {
				best = i
			}
		}
		if !(float64(scores[best]) > lowest) {
			continue
		}
		phrase := o.phrase(t, c.IDs, scores, best)
		class, ok := o.class(t, c, scores, phrase)
		if !ok || !(float64(scores[best]) > limit[class]) {
			continue
		}
		b := boxes[4*q : 4*q+4]
		cx, cy, bw, bh := float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3])
		found = append(found, Detection{Score: scores[best], Phrase: phrase, Box: data.Box{
			X0: float32((cx - bw/2) * float64(w)), Y0: float32((cy - bh/2) * float64(h)),
			X1: float32((cx + bw/2) * float64(w)), Y1: float32((cy + bh/2) * float64(h)), Class: class,
		}})
	}
	return found
}

// limits are the box thresholds by class index.
func (o Options) limits(classes []Class) map[int]float64 {
	limit := make(map[int]float64, len(classes))
	for _, c := range classes {
		if limit[c.Index] = o.BoxThreshold; c.Threshold > 0 {
			limit[c.Index] = c.Threshold
		}
	}
	return limit
}

// phrase decodes the tokens above the text threshold, dots removed. The first
// position and those from 255 on never count.
func (o Options) phrase(t *tokenize.BERT, ids []int32, scores []float32, best int) string {
	left, right := 0, tokenize.BERTContext-1
	if o.RemoveCombined {
		left, right = around(t, ids, best)
	}
	var picked []int32
	for i, s := range scores {
		if i > left && i < right && float64(s) > o.TextThreshold {
			picked = append(picked, ids[i])
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(t.Decode(picked), ".", ""))
}

// around returns the separators on either side of a token. Only dots and the
// ends count here, not the question mark.
func around(t *tokenize.BERT, ids []int32, at int) (left, right int) {
	right = len(ids) - 1
	for i, id := range ids {
		if id != t.CLS() && id != t.SEP() && id != t.ID(".") {
			continue
		}
		if i >= at {
			return left, i
		}
		left = i
	}
	return left, right
}

// class is the label of a box.
func (o Options) class(t *tokenize.BERT, c Caption, scores []float32, phrase string) (int, bool) {
	if len(c.classes) == 1 && (o.PerClass || o.Assign == BySpan) {
		return c.classes[0].Index, true // whatever the phrase (docs/sources.md §2.1)
	}
	bestScore, best := float32(-1), 0
	for i, class := range c.classes {
		from, to := c.from[i], min(c.to[i], len(scores))
		switch name := t.Decode(c.IDs[c.from[i]:c.to[i]]); o.Assign {
		case ByExact:
			if name == phrase {
				return class.Index, true
			}
		case BySubstring:
			if strings.Contains(phrase, name) {
				return class.Index, true
			}
		default:
			if from < to && slices.Max(scores[from:to]) > bestScore {
				bestScore, best = slices.Max(scores[from:to]), class.Index
			}
		}
	}
	return best, o.Assign == BySpan && bestScore >= 0
}

// suppress is non-maximum suppression: detections in descending order of
// score, less those whose box has an IoU above limit with a better one
// (torchvision's nms), within each class or among all.
func suppress(list []Detection, limit float64, amongAll bool) []Detection {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
	var kept []Detection
	for _, d := range sorted {
		if !slices.ContainsFunc(kept, func(k Detection) bool {
			return (amongAll || k.Box.Class == d.Box.Class) && metrics.BoxIoU(k.Box, d.Box) > limit
		}) {
			kept = append(kept, d)
		}
	}
	return kept
}
