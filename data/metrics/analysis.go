package metrics

import (
	"fmt"
	"sort"
)

// SizeScore is the score of objects of one size.
type SizeScore struct {
	Name    string  `json:"name"`
	MinArea uint64  `json:"min_area"` // pixels of the class in the image, inclusive
	MaxArea uint64  `json:"max_area"` // exclusive; 0 = no limit
	Regions int     `json:"regions"`  // (image, class) pairs
	MIoU    float64 `json:"miou"`     // over classes with such a region, background left out; 0 without regions
}

// sizes are COCO's area limits.
var sizes = []SizeScore{
	{Name: "small", MaxArea: 32 * 32},
	{Name: "medium", MinArea: 32 * 32, MaxArea: 96 * 96},
	{Name: "large", MinArea: 96 * 96},
}

// BySize scores small, medium and large regions apart. A region is all pixels
// of one class in one image (a label map does not tell instances); its size is
// that of the truth, so predictions of a class that the image lacks are not
// counted here. Background is left out: it is always large.
func BySize(images [][]ClassCount, classes int) ([]SizeScore, error) {
	out := append([]SizeScore(nil), sizes...)
	for s := range out {
		k := NewCounts(classes)
		for _, image := range images {
			for _, c := range image {
				if c.Class == 0 || c.Truth == 0 || c.Truth < out[s].MinArea || out[s].MaxArea > 0 && c.Truth >= out[s].MaxArea {
					continue
				}
				if err := k.AddSparse([]ClassCount{c}); err != nil {
					return nil, fmt.Errorf("per-size table: %w", err)
				}
				out[s].Regions++
			}
		}
		if out[s].Regions > 0 {
			out[s].MIoU = k.MeanIoU(TruthOnly)
		}
	}
	return out, nil
}

// Pair is a frequent confusion: pixels of class Truth predicted as class Pred.
type Pair struct {
	Truth  int     `json:"truth"`
	Pred   int     `json:"pred"`
	Pixels uint64  `json:"pixels"`
	Share  float64 `json:"share"` // of the pixels of class Truth, 0..1
}

// Pairs lists the k most frequent confusions of a C×C matrix (rows = truth) by
// their share of the true class, ties by class number.
func Pairs(matrix [][]uint64, k int) []Pair {
	var pairs []Pair
	for t, row := range matrix {
		total := sum(row)
		for p, n := range row {
			if p != t && n > 0 {
				pairs = append(pairs, Pair{t, p, n, float64(n) / float64(total)})
			}
		}
	}
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].Share > pairs[j].Share })
	return pairs[:min(k, len(pairs))]
}
