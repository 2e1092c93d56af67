package report

import (
	"fmt"
	"io"
	"strings"

	"wsss/data/words"
	"wsss/eval"
)

// markdown writes the numbers without the pictures.
func markdown(w io.Writer, p *page) error {
	m := &mdWriter{w: w}
	m.line("# %s\n\n%s\n", md(p.Title), md(p.Subtitle))
	for _, s := range p.Headline {
		m.line("- **%s: %s %%** (%s)", md(s.Label), s.Value.Percent(), md(s.Note))
	}
	if len(p.Says) > 0 {
		m.line("\n%s", md(strings.Join(p.Says, " ")))
	}
	if len(p.Help) > 0 {
		m.line("\n**What would help.** %s", md(strings.Join(p.Help, " ")))
	}
	if len(p.Rows) > 0 {
		m.results(p)
	}
	m.classTables(p.Tables)
	m.classifiers(p.Classifiers)
	m.besides(p.Besides)
	m.comparisons(p.Comparisons)
	m.literature(p.Literature)
	m.details(p)
	for _, q := range p.Quality {
		m.line("\n## Quality scores of %s against true IoU\n", md(q.Name))
		m.line("%s: Spearman %.3f, Pearson %.3f; mean IoU of the tenth with the lowest scores %.1f, of all %.1f.", words.Plural(q.Images, "image"), q.Spearman, q.Pearson, 100*q.LowTenth, 100*q.Mean)
	}
	m.provenance(p)
	return m.err
}

func (m *mdWriter) results(p *page) {
	m.line("\n## Results\n\nScores in per cent; interval: 95 %% bootstrap over images.\n")
	cost := "s/image"
	if p.PerThousand {
		cost = "price of 1,000"
	}
	m.row("name", "kind", "split", "images", "mIoU", "published", "interval", "pixel acc.", "mean acc.", "fw IoU", "boundary IoU", "undecided", "images/s", cost)
	m.rule(3, 14)
	for _, r := range p.Rows {
		boundary := "–"
		if r.Boundary != nil {
			boundary = r.Boundary.MIoU.Percent()
		}
		cells := []string{r.Name, string(r.Kind), r.Split, fmt.Sprint(r.Images), r.MIoU.Percent(), "", r.Interval(), r.PixelAcc.Percent(), r.MeanAcc.Percent(),
			r.FWIoU.Percent(), boundary, r.Undecided.Percent(), rate(r.PerSecond), r.Cost()}
		for i := range cells {
			cells[i] = md(cells[i])
		}
		cells[5] = quote(r.Quoted)
		m.line("| %s |", strings.Join(cells, " | "))
	}
	if p.HasQuoted {
		m.line("\n_Published_: what a paper reports for such a row (%s), not measured here.", md(strings.Join(p.QuotedSources(), "; ")))
	}
	if s := p.Settings; len(s.Rows) > 0 {
		m.line("\n## How the rows came about\n")
		m.row(append([]string{"name"}, s.Columns...)...)
		m.rule(1+len(s.Columns), 1+len(s.Columns))
		for _, r := range s.Rows {
			m.row(append([]string{r.Name}, r.Cells...)...)
		}
	}
	for _, r := range p.Rows {
		for _, n := range r.Notes {
			m.line("\n%s: %s", md(r.Name), md(n))
		}
	}
}

type mdWriter struct {
	w   io.Writer
	err error
}

func (m *mdWriter) line(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format+"\n", args...)
	}
}

func (m *mdWriter) row(cells ...string) {
	for i, c := range cells {
		cells[i] = md(c)
	}
	m.line("| %s |", strings.Join(cells, " | "))
}

// rule ends a table's head: columns from `left` on are numbers.
func (m *mdWriter) rule(left, n int) {
	m.line("|%s%s", strings.Repeat(" --- |", left), strings.Repeat(" ---: |", n-left))
}

func (m *mdWriter) classTables(tables []classTable) {
	for _, t := range tables {
		m.line("\n## IoU per class\n")
		m.row(append([]string{"class"}, t.Names...)...)
		m.rule(1, 1+len(t.Names))
		for _, c := range t.Classes {
			cells := []string{c.Name}
			for _, v := range c.IoU {
				cells = append(cells, v.Percent())
			}
			m.row(cells...)
		}
	}
}

func (m *mdWriter) comparisons(list []Comparison) {
	if len(list) == 0 {
		return
	}
	m.line("\n## Paired differences over the same images\n")
	m.row("from", "to", "mIoU difference", "95 % interval", "p")
	m.rule(2, 5)
	for _, c := range list {
		m.row(c.A, c.B, fmt.Sprintf("%+.1f", 100*c.Delta), fmt.Sprintf("%+.1f … %+.1f", 100*c.Interval.Lo, 100*c.Interval.Hi), pvalue(c.Difference))
	}
}

// literature writes published numbers in italics, doubtful ones struck out.
func (m *mdWriter) literature(list []literature) {
	for _, t := range list {
		m.line("\n## %s, among published numbers\n", md(t.Title))
		m.line("| method | supervision | backbone | pretrained on | %s | source |", strings.Join(t.Columns, " | "))
		m.line("| --- | --- | --- | --- |%s --- |", strings.Repeat(" ---: |", len(t.Columns)))
		for _, r := range t.Rows {
			var cells []string
			for _, c := range r.Cells {
				if r.Own && c.Text != "" {
					cells = append(cells, "**"+c.Text+"**")
				} else {
					cells = append(cells, quote(c))
				}
			}
			m.line("| %s | %s | %s | %s | %s | %s |", md(r.Method), md(r.Supervision), md(r.Backbone), md(r.Pretrain), strings.Join(cells, " | "), md(r.Source))
		}
	}
}

func quote(c litCell) string {
	switch {
	case c.Text == "":
		return ""
	case c.Doubt != "":
		return "~~" + c.Text + "~~?"
	}
	return "_" + c.Text + "_"
}

func (m *mdWriter) details(p *page) {
	for _, r := range p.Rows {
		if !r.Detailed() {
			continue
		}
		m.line("\n## %s\n", md(r.Name))
		m.row("regions", "count", "mIoU")
		m.rule(1, 3)
		for _, s := range r.Sizes {
			score := "–"
			if s.Regions > 0 {
				score = eval.Value(s.MIoU).Percent()
			}
			m.row(s.Name, fmt.Sprint(s.Regions), score)
		}
		if pairs := r.Pairs(); len(pairs) > 0 {
			m.line("")
			m.row("truth", "predicted as", "share of the class")
			m.rule(2, 3)
			for _, c := range pairs {
				m.row(c.Truth, c.Pred, eval.Value(c.Share).Percent()+" %")
			}
		}
		for _, k := range sortedKeys(r.Extra) {
			m.line("\n%s: %s", md(k), r.Extra[k].Percent())
		}
	}
}

func (m *mdWriter) provenance(p *page) {
	m.line("\n## Provenance\n")
	for _, o := range p.Provenance {
		m.line("- %s", md(o.Of))
		for _, kv := range o.Entries {
			m.line("  - %s: `%s`", md(kv[0]), strings.ReplaceAll(kv[1], "`", "'"))
		}
	}
}

// md escapes foreign text: class names and folder names are data, not markup.
var mdEscaper = strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]", "\n", " ", "\r", " ")

func md(s string) string { return mdEscaper.Replace(s) }
