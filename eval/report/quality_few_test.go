package report

import (
	"fmt"
	"testing"

	"wsss/eval"
)

// TestQualityOfFew: two images always correlate by 1 or -1, which says nothing.
func TestQualityOfFew(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 0, 3: 1} {
		row := Row{Result: &eval.Result{Name: "pseudo"}, Quality: map[string]float64{}}
		for i := range n {
			id := fmt.Sprint(i)
			row.Quality[id] = float64(i)
			row.PerImage = append(row.PerImage, eval.ImageScore{ID: id, MIoU: eval.Value(0.5 - 0.1*float64(i))})
		}
		views, err := qualities([]Row{row})
		if err != nil || len(views) != want {
			t.Errorf("%d images: %d views, %v, want %d", n, len(views), err, want)
		}
	}
}
