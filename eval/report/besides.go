package report

import (
	"fmt"
	"strings"

	"wsss/eval"
	"wsss/eval/detect"
	"wsss/eval/published"
)

// beside is a number that a paper prints beside mIoU, and what it is here.
type beside struct{ What, Paper, Here, Source string }

// besides are those of the papers' rows that a run repeats: on data of which
// papers print scores, or of a classifier that was judged.
func besides(r *Report) []beside {
	var out []beside
	for _, name := range r.Published {
		p, ok := published.ByName(name)
		if !ok {
			continue
		}
		for _, m := range p.Measures() {
			b := beside{What: m.Name, Paper: fmt.Sprintf("%.1f", m.Percent), Source: p.Source()}
			switch m.Name {
			case published.ClassifierMAP:
				b.Here = firstExtra(r.Rows, detect.ClassesMAP)
				if r.Classifiers != nil {
					b.Here = judgedMAP(r.Classifiers)
				}
			case published.BoxMAP:
				b.Here = firstExtra(r.Rows, detect.BoxesMAP)
			case published.Gain:
				b.Paper, b.Here = "+"+b.Paper, gains(r.Rows)
			}
			if b.Here != "" {
				out = append(out, b)
			}
		}
	}
	return out
}

// firstExtra is a further number of the first row that has it.
func firstExtra(rows []Row, name string) string {
	for _, r := range rows {
		if v, ok := r.Extra[name]; ok {
			if _, known := columnOf(r.Result); known {
				return v.Percent()
			}
		}
	}
	return ""
}

func judgedMAP(c *Classifiers) string {
	var list []string
	for _, j := range c.Judged {
		list = append(list, j.Name+" "+j.MAP.Percent())
	}
	return strings.Join(list, ", ")
}

// gains are the points of mIoU by which the run's own labels, the first row,
// exceed the other labels of the same images.
func gains(rows []Row) string {
	var own *eval.Result
	var list []string
	for _, r := range rows {
		if _, known := columnOf(r.Result); !known || r.Kind != eval.KindPseudo || !r.MIoU.Valid() {
			continue
		}
		if own == nil {
			own = r.Result
		} else if r.Split == own.Split && r.Images == own.Images {
			list = append(list, fmt.Sprintf("%+.1f over %s", 100*float64(own.MIoU-r.MIoU), r.Name))
		}
	}
	return strings.Join(list, ", ")
}

func (m *mdWriter) besides(list []beside) {
	if len(list) == 0 {
		return
	}
	m.line("\n## Beside mIoU\n")
	m.row("", "here", "published", "where")
	m.rule(1, 4)
	for _, b := range list {
		m.line("| %s | %s | _%s_ | %s |", md(b.What), md(b.Here), md(b.Paper), md(b.Source))
	}
}
