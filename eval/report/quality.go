package report

import (
	"math"
	"sort"
	"strings"

	"wsss/data/metrics"
)

// maxLook bounds the list of images to look at first.
const maxLook = 24

// qualityView shows how well a row's quality scores, which need no ground
// truth, foretell the true IoU.
type qualityView struct {
	Name string
	metrics.Agreement
	Chart chart
}

// fewestAgree is how many images tell anything: of two the correlation is 1 or -1,
// whatever the scores.
const fewestAgree = 3

// qualities makes one view per row with scores; fewer than fewestAgree images that
// have both make none.
func qualities(rows []Row) ([]qualityView, error) {
	var out []qualityView
	for _, r := range rows {
		var scores, ious []float64
		for _, im := range r.PerImage {
			if q, ok := r.Quality[im.ID]; ok && !math.IsNaN(q) && !math.IsInf(q, 0) && im.MIoU.Valid() {
				scores, ious = append(scores, q), append(ious, float64(im.MIoU))
			}
		}
		if len(scores) < fewestAgree {
			continue
		}
		a, err := metrics.Agree(scores, ious)
		if err != nil {
			return nil, err
		}
		out = append(out, qualityView{r.Name, a, scatter(scores, ious)})
	}
	return out, nil
}

// scatter draws one point per image.
func scatter(x, y []float64) chart {
	c := chart{Name: "true IoU over quality score"}
	f := newFrame(x, y)
	f.ticks(&c)
	for i := range x {
		c.Dots = append(c.Dots, dot{f.px(x[i]), f.py(y[i])})
	}
	return c
}

// lookFirst lists the images of lowest quality of all rows, unless the caller
// has a list.
func lookFirst(r *Report) []Look {
	if len(r.Look) > 0 {
		return r.Look
	}
	var out []Look
	for _, row := range r.Rows {
		for _, id := range sortedKeys(row.Quality) {
			if q := row.Quality[id]; !math.IsNaN(q) {
				out = append(out, Look{Split: row.Split, ID: id, Score: q, Why: strings.TrimPrefix(row.Name+": "+row.Doubts[id], ": ")})
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Score < out[j].Score })
	return out[:min(len(out), maxLook)]
}
