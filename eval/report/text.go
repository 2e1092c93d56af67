package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"wsss/eval"
)

// WriteText prints one line per row. Where none has a score it says so, and
// where to look instead, and gives false.
func WriteText(w io.Writer, rows []Row, look string) bool {
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Images > 0 }) {
		var splits []string
		for _, r := range rows {
			if split := fmt.Sprintf("%q", r.Split); !slices.Contains(splits, split) {
				splits = append(splits, split)
			}
		}
		fmt.Fprintf(w, "\nnothing could be scored: no true masks in %s; %s\n", strings.Join(splits, " and "), look)
		return false
	}
	width := 28
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r.Name))
	}
	fmt.Fprintf(w, "\n%-*s %-13s %-10s %7s %7s %8s %9s\n", width, "", "kind", "split", "mIoU", "pixacc", "images", "images/s")
	for _, r := range rows {
		speed := "–"
		if r.PerSecond > 0 {
			speed = fmt.Sprintf("%.4g", r.PerSecond)
		}
		fmt.Fprintf(w, "%-*s %-13s %-10s %7s %7s %8d %9s\n", width, r.Name, r.Kind, r.Split, r.MIoU.Percent(), r.PixelAcc.Percent(), r.Images, speed)
	}
	return true
}

// WriteSummary prints those of the three numbers that a weakly supervised method is
// judged by that are there, and their ratio; train and val are the splits.
func WriteSummary(w io.Writer, rows []Row, train, val string) {
	score := func(kind eval.Kind) eval.Value {
		for _, r := range rows {
			if r.Kind == kind {
				return r.MIoU
			}
		}
		return eval.Value(math.NaN())
	}
	line := func(title string, kind eval.Kind) {
		if v := score(kind); v.Valid() {
			fmt.Fprintf(w, "%-52s %5s\n", title, v.Percent())
		}
	}
	fmt.Fprintln(w)
	line("pseudo-label mIoU ("+train+")", eval.KindPseudo)
	line("network trained on pseudo-labels, mIoU ("+val+")", eval.KindNetwork)
	line("same network trained on true masks, mIoU ("+val+")", eval.KindBound)
	if net, bound := score(eval.KindNetwork), score(eval.KindBound); net.Valid() && bound.Valid() && bound > 0 {
		fmt.Fprintf(w, "%-52s %5.1f %%\n", "of full supervision", 100*float64(net)/float64(bound))
	}
}
