package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Ranking collects scored guesses of one class and computes average precision
// from their order (docs/sources.md §10). A classifier adds one guess per image and
// class; a detector one per box.
type Ranking struct {
	positives int
	guesses   []guess
	sorted    bool
}

type guess struct {
	score float64
	hit   bool
}

// Add notes one guess. Guesses with equal scores keep the order they were
// added in.
func (r *Ranking) Add(score float64, hit bool) {
	r.guesses = append(r.guesses, guess{score, hit})
	r.sorted = false
}

// AddPositives counts true things, found or not. For a classifier that is the
// number of images that hold the class.
func (r *Ranking) AddPositives(n int) { r.positives += n }

// curve is recall and precision after each guess, best score first.
func (r *Ranking) curve() (recall, precision []float64) {
	if !r.sorted {
		slices.SortStableFunc(r.guesses, func(a, b guess) int { return cmp.Compare(b.score, a.score) })
		r.sorted = true
	}
	hits := 0
	for i, g := range r.guesses {
		if g.hit {
			hits++
		}
		recall = append(recall, float64(hits)/float64(r.positives))
		precision = append(precision, float64(hits)/float64(i+1))
	}
	return recall, precision
}

// AP11 is VOC's average precision up to 2009: the mean, over recalls 0, 0.1 …
// 1, of the best precision at that recall or above. NaN without positives.
func (r *Ranking) AP11() float64 {
	if r.positives == 0 {
		return math.NaN()
	}
	recall, precision := r.curve()
	ap := 0.0
	step := 0.1
	for k := range 11 {
		best := 0.0
		for i := range recall {
			if recall[i] >= float64(k)*step {
				best = max(best, precision[i])
			}
		}
		ap += best / 11
	}
	return ap
}

// APArea is VOC's average precision since 2010: the area under the precision
// made monotone from the right. NaN without positives.
func (r *Ranking) APArea() float64 {
	if r.positives == 0 {
		return math.NaN()
	}
	recall, precision := r.curve()
	monotone(precision)
	ap, last := 0.0, 0.0
	for i := range recall {
		ap += (recall[i] - last) * precision[i]
		last = recall[i]
	}
	return ap
}

// AP is the uninterpolated average precision: precision summed over the steps
// of recall, guesses of equal score taken together. NaN without positives.
func (r *Ranking) AP() float64 {
	if r.positives == 0 {
		return math.NaN()
	}
	recall, precision := r.curve()
	ap, last := 0.0, 0.0
	for i := range recall {
		if i+1 < len(recall) && r.guesses[i+1].score == r.guesses[i].score {
			continue
		}
		ap += (recall[i] - last) * precision[i]
		last = recall[i]
	}
	return ap
}

// monotone replaces each value by the largest from there on.
func monotone(v []float64) {
	for i := len(v) - 2; i >= 0; i-- {
		v[i] = max(v[i], v[i+1])
	}
}

// MeanAP is the mean over classes with positives of one kind of average
// precision, for example MeanAP(classes, (*Ranking).APArea); NaN if no class
// has any.
func MeanAP(classes []Ranking, ap func(*Ranking) float64) float64 {
	values := make([]float64, len(classes))
	for c := range classes {
		values[c] = ap(&classes[c])
	}
	return nanMean(values)
}
