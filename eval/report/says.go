package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"wsss/data/words"
	"wsss/eval"
)

// best is the row with the highest mIoU that stands for a way to get there: no
// bound, and where there are networks or zero-shot methods one of those. -1
// where nothing is scored.
func best(rows []Row) int {
	rank := func(r Row) int {
		switch r.Kind {
		case eval.KindNetwork, eval.KindZeroShot:
			return 2
		case eval.KindBound:
			return 0
		}
		return 1
	}
	at := -1
	for i, r := range rows {
		if !r.MIoU.Valid() || r.Images == 0 {
			continue
		}
		if at < 0 || cmp.Or(cmp.Compare(rank(r), rank(rows[at])), cmp.Compare(r.MIoU, rows[at].MIoU)) > 0 {
			at = i
		}
	}
	return at
}

// says is what the numbers say, in sentences, and no more than they do.
func says(r *Report, p *page) []string {
	at := best(r.Rows)
	if at < 0 {
		return saysUnscored(r)
	}
	b := r.Rows[at]
	var out []string
	text := fmt.Sprintf("%s has the highest mIoU on %s, %s %%", b.Name, b.Split, b.MIoU.Percent())
	if slices.ContainsFunc(r.Rows, func(o Row) bool { return o.Kind != eval.KindBound && o.Split == b.Split && o.MIoU > b.MIoU }) {
		text = fmt.Sprintf("%s has the highest mIoU of what needs no label of an image on %s, %s %%", b.Name, b.Split, b.MIoU.Percent())
	}
	if scored(r.Rows) == 1 {
		text = fmt.Sprintf("%s: mIoU on %s %s %%", b.Name, b.Split, b.MIoU.Percent())
	}
	if b.CI != nil {
		text += fmt.Sprintf(" (95 %% interval %.1f to %.1f over %s)", 100*b.CI.Lo, 100*b.CI.Hi, words.Plural(b.Images, "image"))
	}
	if second := rival(p.Comparisons, r.Rows, at); second != "" {
		text += "; " + second
	}
	out = append(out, text+".")
	if i := slices.IndexFunc(r.Rows, func(o Row) bool { return o.Kind == eval.KindBound && o.Split == b.Split && o.MIoU > 0 }); i >= 0 {
		out = append(out, fmt.Sprintf("That is %.1f %% of what the same network reaches on true masks (%s %%).", 100*float64(b.MIoU/r.Rows[i].MIoU), r.Rows[i].MIoU.Percent()))
	}
	if worst := worstClasses(b.Result, 3); worst != "" {
		out = append(out, "Its weakest classes are "+worst+".")
	}
	if len(b.Confused) > 0 {
		c := b.Confused[0]
		out = append(out, fmt.Sprintf("Its largest confusion: %.0f %% of the pixels of %s are taken for %s.", 100*c.Share, className(b.Classes, c.Truth), className(b.Classes, c.Pred)))
	}
	if n, of := zeroImages(b.Result); n > 0 {
		out = append(out, fmt.Sprintf("%s of %d an IoU below 20 %%: look at these first.", words.Count(n, "image has", "images have"), of))
	}
	if b.Images < 30 {
		out = append(out, fmt.Sprintf("%s are few: the interval says how far to trust the number.", words.Plural(b.Images, "image")))
	}
	return out
}

// scored counts the rows with a score.
func scored(rows []Row) (n int) {
	for _, r := range rows {
		if r.MIoU.Valid() && r.Images > 0 {
			n++
		}
	}
	return n
}

// rival says how far the best row is ahead of the next one over the same
// images, and whether the interval of the difference holds zero.
func rival(list []Comparison, rows []Row, at int) string {
	next := -1
	for i, r := range rows {
		if i != at && r.Kind != eval.KindBound && sameImages(rows[at].Result, r.Result) && (next < 0 || r.MIoU > rows[next].MIoU) {
			next = i
		}
	}
	if next < 0 {
		return ""
	}
	a, b := rows[at].Name, rows[next].Name
	for _, c := range list {
		lo, hi, delta := c.Interval.Lo, c.Interval.Hi, c.Delta
		switch {
		case c.A == a && c.B == b:
			lo, hi, delta = -hi, -lo, -delta
		case c.A != b || c.B != a:
			continue
		}
		verdict := "more than chance explains"
		if lo <= 0 && hi >= 0 {
			verdict = "which these images do not tell from chance"
		}
		where := "ahead of"
		if delta < 0 {
			where, delta, lo, hi = "behind", -delta, -hi, -lo
		}
		return fmt.Sprintf("%.1f points %s %s (interval %+.1f to %+.1f, %s)", 100*delta, where, b, 100*lo, 100*hi, verdict)
	}
	return ""
}

// worstClasses lists the classes with the lowest IoU.
func worstClasses(r *eval.Result, n int) string {
	type class struct {
		name string
		iou  float64
	}
	var list []class
	for c, v := range r.IoU {
		if c > 0 && v.Valid() {
			list = append(list, class{className(r.Classes, c), float64(v)})
		}
	}
	if len(list) < 2 {
		return ""
	}
	slices.SortStableFunc(list, func(a, b class) int { return cmp.Compare(a.iou, b.iou) })
	var parts []string
	for _, c := range list[:min(n, len(list)-1)] {
		parts = append(parts, fmt.Sprintf("%s (%.1f)", c.name, 100*c.iou))
	}
	return strings.Join(parts, ", ")
}

// zeroImages counts images that the row gets wrong.
func zeroImages(r *eval.Result) (n, of int) {
	for _, im := range r.PerImage {
		if im.MIoU.Valid() {
			if of++; im.MIoU < 0.2 {
				n++
			}
		}
	}
	return n, of
}

// saysUnscored is says where there are no true masks.
func saysUnscored(r *Report) []string {
	if len(r.Rows) == 0 {
		return nil
	}
	out := []string{"There are no true masks, so nothing is scored. The images are ordered by doubt: labels whose own signs speak against them come first, with the reason."}
	for _, row := range r.Rows {
		if len(row.Quality) == 0 {
			continue
		}
		low, sum := 0, 0.0
		for _, q := range row.Quality {
			if sum += q; q < 0.5 {
				low++
			}
		}
		out = append(out, fmt.Sprintf("%s: mean quality %.2f over %s, %d of them below 0.5.", row.Name, sum/float64(len(row.Quality)), words.Plural(len(row.Quality), "label"), low))
	}
	return out
}

// ruleTexts say what the overlap rules do.
var ruleTexts = map[string]string{
	"score":         "where masks overlap, the more certain one lies on top",
	"smaller-first": "where masks overlap, the smaller one lies on top",
	"class-index":   "where masks overlap, the class with the higher number lies on top",
	"uncertain":     "where masks of two classes are about equally certain, the pixel stays undecided",
}

// rules explains the rules that the rows' settings name.
func (t settingsTable) rules() []string {
	var out []string
	for _, name := range []string{"score", "smaller-first", "class-index", "uncertain"} {
		for _, r := range t.Rows {
			if slices.Contains(r.Cells, name) || slices.ContainsFunc(r.Cells, func(c string) bool { return strings.HasPrefix(c, name+",") || strings.Contains(c, "rule "+name) }) {
				out = append(out, name+": "+ruleTexts[name])
				break
			}
		}
	}
	return out
}

// smoothed is an exponential mean with the memory of a part of the series, which
// begins without bias.
func smoothed(s Series) Series {
	n := float64(len(s.Value))
	if n < 12 {
		return Series{}
	}
	keep := 1 - 1/max(2, n/20)
	out := Series{Step: s.Step, Value: make([]float64, len(s.Value))}
	var mean, weight float64
	for i, v := range s.Value {
		mean, weight = keep*mean+(1-keep)*v, keep*weight+1-keep
		if out.Value[i] = mean / weight; math.IsInf(out.Value[i], 0) || math.IsNaN(out.Value[i]) {
			return Series{}
		}
	}
	return out
}
