package multilabel

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"wsss/data/metrics"
)

// scored is the output for one image and class with what is known of it.
type scored struct {
	score float64 // probability
	yes   bool
}

// Measure computes the metrics of scores [image][class], at thresholds that were
// found elsewhere or, where they are nil, at those of the best F-measure here:
// beta > 1 weighs recall more than precision, 0 is 1 (F1).
func Measure(s *Examples, scores [][]float32, thresholds []float64, beta float64) (*metrics.MultiLabel, error) {
	rankings := make([]metrics.Ranking, s.Classes)
	lists := make([][]scored, s.Classes)
	for i := range s.IDs {
		for c := range s.Classes {
			l := &s.labels[i]
			if !l.has(c+1) && !l.lacks(c+1) {
				continue
			}
			rankings[c].Add(float64(scores[i][c]), l.has(c+1))
			if l.has(c + 1) {
				rankings[c].AddPositives(1)
			}
			lists[c] = append(lists[c], scored{float64(scores[i][c]), l.has(c + 1)})
		}
	}
	m := &metrics.MultiLabel{Images: len(s.IDs)}
	m.MAP = metrics.MeanAP(rankings, (*metrics.Ranking).APArea)
	m.MAP11 = metrics.MeanAP(rankings, (*metrics.Ranking).AP11)
	m.MAPPlain = metrics.MeanAP(rankings, (*metrics.Ranking).AP)
	if math.IsNaN(m.MAP) {
		return nil, fmt.Errorf("no class has an image of the %d to validate on", len(s.IDs))
	}
	var hits, said, there float64
	for c := range lists {
		ap := rankings[c].APArea()
		if math.IsNaN(ap) {
			ap = -1
		}
		m.AP = append(m.AP, ap)
		var t float64
		if thresholds == nil {
			t = bestThreshold(lists[c], beta)
		} else {
			t = thresholds[c]
		}
		m.Threshold = append(m.Threshold, t)
		for _, x := range lists[c] {
			if x.yes {
				there++
			}
			if x.score >= t {
				said++
				if x.yes {
					hits++
				}
			}
		}
	}
	m.Precision, m.Recall = hits/max(said, 1), hits/max(there, 1)
	m.Bins, m.ECE = calibration(slices.Concat(lists...))
	return m, nil
}

// bestThreshold is the score from which on a class is to be said present: where
// the F-measure is best, half-way to the next score below, or to 0. 0.5 where
// nothing is known.
func bestThreshold(list []scored, beta float64) float64 {
	if beta == 0 {
		beta = 1
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	there := 0
	for _, x := range list {
		if x.yes {
			there++
		}
	}
	best, threshold, hits := 0.0, 0.5, 0
	for i, x := range list {
		if x.yes {
			hits++
		}
		if i+1 < len(list) && list[i+1].score == x.score {
			continue
		}
		if f := (1 + beta*beta) * float64(hits) / (float64(i+1) + beta*beta*float64(there)); f > best {
			below := 0.0
			if i+1 < len(list) {
				below = list[i+1].score
			}
			best, threshold = f, (x.score+below)/2
		}
	}
	return threshold
}

// calibration sorts scores into ten bins; ece is the mean, weighted by their
// sizes, of the distance between mean score and share of positives.
func calibration(list []scored) (bins []metrics.Bin, ece float64) {
	var n, yes, sum [10]float64
	for _, x := range list {
		b := min(max(int(x.score*10), 0), 9)
		n[b]++
		sum[b] += x.score
		if x.yes {
			yes[b]++
		}
	}
	for b := range n {
		if n[b] > 0 {
			ece += math.Abs(sum[b]-yes[b]) / float64(len(list))
			bins = append(bins, metrics.Bin{N: int(n[b]), Mean: sum[b] / n[b], Yes: yes[b] / n[b]})
		}
	}
	return bins, ece
}
