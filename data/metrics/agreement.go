package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Agreement tells how well a quality score that needs no ground truth predicts
// the true IoU of the same images.
type Agreement struct {
	Images   int     `json:"images"`
	Spearman float64 `json:"spearman"` // rank correlation, -1..1
	Pearson  float64 `json:"pearson"`  // linear correlation, -1..1
	// LowTenth is the mean IoU of the tenth of the images (at least one) with
	// the lowest scores, Mean of all: looking at the former first pays if it
	// is much lower.
	LowTenth float64 `json:"low_tenth"`
	Mean     float64 `json:"mean"`
	// Found is the share of the worst tenth by IoU among the fifth of the
	// images with the lowest scores; 0.2 is what chance gives.
	Found float64 `json:"found"`
}

// Agree compares scores with IoUs, one pair per image, at least two; pairs
// with a NaN are left out. Correlations are 0 where one side is constant.
func Agree(scores, ious []float64) (Agreement, error) {
	if len(scores) != len(ious) {
		return Agreement{}, fmt.Errorf("agreement of %d scores with %d IoUs: want one of each per image", len(scores), len(ious))
	}
	var x, y []float64
	for i := range scores {
		if !math.IsNaN(scores[i]) && !math.IsNaN(ious[i]) {
			x, y = append(x, scores[i]), append(y, ious[i])
		}
	}
	n := len(x)
	if n < 2 {
		return Agreement{}, fmt.Errorf("agreement over %d images: want at least 2", n)
	}
	a := Agreement{Images: n, Pearson: pearson(x, y), Spearman: pearson(ranks(x), ranks(y)), Mean: mean(y)}
	byScore, byIoU := order(x), order(y)
	tenth, fifth := max(1, n/10), max(1, n/5)
	for _, i := range byScore[:tenth] {
		a.LowTenth += y[i] / float64(tenth)
	}
	for _, i := range byIoU[:tenth] {
		if slices.Contains(byScore[:fifth], i) {
			a.Found += 1 / float64(tenth)
		}
	}
	return a, nil
}

// order lists indices by ascending value, ties in input order.
func order(v []float64) []int {
	at := make([]int, len(v))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	return at
}

// ranks from 1; ties share the mean of their ranks.
func ranks(v []float64) []float64 {
	at := order(v)
	out := make([]float64, len(v))
	for i := 0; i < len(at); {
		j := i
		for j < len(at) && v[at[j]] == v[at[i]] {
			j++
		}
		for _, k := range at[i:j] {
			out[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

func pearson(x, y []float64) float64 {
	mx, my := mean(x), mean(y)
	var xy, xx, yy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}
