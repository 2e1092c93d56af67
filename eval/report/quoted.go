package report

import (
	"fmt"
	"slices"
	"strings"

	"wsss/eval"
	"wsss/eval/published"
)

// The survey's rows of the same kinds as ours: SAM's pseudo-labels and the
// network trained on them, SAM from RAM's tags, and full supervision.
var surveyRows = map[eval.Kind]string{
	eval.KindPseudo: "chen2023 1 54", eval.KindNetwork: "chen2023 1 54", eval.KindZeroShot: "chen2023 1 55", eval.KindBound: "chen2023 1 56",
}

// quoted is the published number to set beside a row: of the row of a paper
// that it is, else the first of those that the run repeats and that has a
// number of its kind, else the survey's. Rows of other data have none.
func quoted(r Row, repeats []string) litCell {
	column, ok := columnOf(r.Result)
	if !ok {
		return litCell{}
	}
	names := []string{surveyRows[r.Kind]}
	if len(repeats) > 0 {
		names = repeats
	}
	if r.Published != "" {
		names = []string{r.Published}
	}
	var other litCell // of the other supervision: only where the config asks for it
	for _, name := range names {
		p, ok := published.ByName(name)
		s, has := p.Scores[column]
		if !ok || !has || s.Percent >= 100 { // 100 stands for true masks as pseudo-labels
			continue
		}
		c := litCell{Text: fmt.Sprintf("%.1f", s.Percent), Doubt: s.Doubt, Source: p.Method + ": " + p.Source()}
		if full := p.Supervision == "F"; full == (r.Kind == eval.KindBound) {
			return c
		}
		other = c
	}
	return other
}

// columnOf is where papers print such a result.
func columnOf(r *eval.Result) (published.Column, bool) {
	for _, t := range litTables {
		if !strings.EqualFold(r.Dataset, t.dataset) || !slices.Contains(t.kinds, r.Kind) {
			continue
		}
		for i, splits := range t.splits {
			if slices.Contains(splits, r.Split) {
				return t.columns[i], true
			}
		}
	}
	return "", false
}

// QuotedSources lists where the grey numbers come from, once each.
func (p *page) QuotedSources() []string {
	var out []string
	for _, r := range p.Rows {
		if s := r.Quoted.Source; s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
