package report

import (
	"fmt"
	"slices"

	"wsss/configs"
	"wsss/eval"
	"wsss/eval/published"
)

// CheckPublished refuses names of papers' rows that nobody published. The error
// names the key.
func CheckPublished(e configs.Eval) error {
	check := func(key, name string) error {
		if _, known := published.ByName(name); known {
			return nil
		}
		return fmt.Errorf("%s = %q: allowed is paper, table and row of eval/published/published.csv, such as \"box2024 1 17\"", key, name)
	}
	for _, name := range e.Published {
		if err := check("eval.published", name); err != nil {
			return err
		}
	}
	for i, a := range e.Against {
		if err := check(fmt.Sprintf("eval.against[%d].published", i), a.Published); a.Published != "" && err != nil {
			return err
		}
	}
	for i, n := range e.Network {
		if err := check(fmt.Sprintf("eval.network[%d].published", i), n.Published); n.Published != "" && err != nil {
			return err
		}
	}
	return nil
}

// fullSupervision is the survey's row of networks trained on true masks: the
// only kind of row whose supervision is known without being told.
const fullSupervision = "chen2023 1 56"

// quoted is the published number to set beside a row: of the row of a paper
// that it is, else the first of those that the run repeats and that has a
// number of its kind. Without either only full supervision has one, for the
// number of another supervision compares with nothing. Rows of other data have
// none.
func quoted(r Row, repeats []string) litCell {
	column, ok := columnOf(r.Result)
	if !ok {
		return litCell{}
	}
	names := repeats
	if r.Published != "" {
		names = []string{r.Published}
	} else if len(repeats) == 0 && r.Kind == eval.KindBound {
		names = []string{fullSupervision}
	}
	var other litCell // of the other supervision: only where the config asks for it
	for _, name := range names {
		p, ok := published.ByName(name)
		s, has := p.Scores[column]
		if !ok || !has || s.Percent >= 100 { // 100 stands for true masks as pseudo-labels
			continue
		}
		c := litCell{Text: fmt.Sprintf("%.1f", s.Percent), Doubt: s.Doubt, Source: p.Method + ": " + p.Source(), value: s.Percent, name: name}
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
		if !t.holds(r) {
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
