package report

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"wsss/data/metrics"
	"wsss/data/words"
	"wsss/eval"
	"wsss/eval/published"
)

// page is what the templates print.
type page struct {
	Title       string
	Subtitle    string
	Headline    []Stat
	Rows        []rowView
	HasBoundary bool
	HasUnsure   bool
	HasDetails  bool
	HasQuoted   bool
	PerThousand bool // costs are prices of 1,000 images; else seconds per image
	Tables      []classTable
	Comparisons []Comparison
	Differ      []differView
	Quality     []qualityView
	Literature  []literature
	Charts      []chart
	Classifiers *Classifiers
	Besides     []beside // what papers print beside mIoU
	Look        []Look
	Gallery     *gallery
	Config      string
	Settings    settingsTable
	Provenance  []origin

	Says     []string  // what the numbers say
	Help     []string  // what would help
	Examples []example // images to see first
	Scored   bool      // a row has scores
	BestName string    // of the best row
	Best     int       // number of the best row, from 1; 0 = none
	Speeds   bool      // it is known how fast a row was made
	Payoff   *payoffView
}

type rowView struct {
	*eval.Result
	Number int     // from 1, for links
	Quoted litCell // what a paper reports for such a row
	price  float64 // per hour
}

// Cost is the price of 1,000 images, or the seconds that one takes.
func (r rowView) Cost() string {
	switch {
	case r.PerSecond <= 0:
		return "–"
	case r.price > 0:
		return fmt.Sprintf("%.2g", 1000*r.price/3600/r.PerSecond)
	}
	return fmt.Sprintf("%.2g", 1/r.PerSecond)
}

// Tag is "best" for the best row.
func (p *page) Tag(r rowView) string {
	if r.Number == p.Best && len(p.Rows) > 1 {
		return "best"
	}
	return ""
}

// Wide tells that a table has more classes than fit below each other.
func (t classTable) Wide() bool { return len(t.Classes) > 31 }

// Detailed tells whether there is more to say of the row than that it exists.
func (r rowView) Detailed() bool { return r.Images > 0 || len(r.Extra) > 0 }

// Interval prints that of the mIoU in per cent.
func (r rowView) Interval() string {
	if r.CI == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f–%.1f", 100*r.CI.Lo, 100*r.CI.Hi)
}

// Pairs are the most frequent confusions by class name.
func (r rowView) Pairs() []pairView {
	var out []pairView
	for _, p := range r.Confused {
		out = append(out, pairView{className(r.Classes, p.Truth), className(r.Classes, p.Pred), p.Share, p.Pixels})
	}
	return out[:min(len(out), 12)]
}

type pairView struct {
	Truth, Pred string
	Share       float64
	Pixels      uint64
}

// classTable is the per-class table of all rows with the same classes.
type classTable struct {
	Names   []string // of the rows
	Classes []classRow
}

type classRow struct {
	Name string
	IoU  []eval.Value
}

func newPage(ctx context.Context, r *Report, g *gallery) (*page, error) {
	p := &page{Title: r.Title, Look: r.Look, Gallery: g, Config: r.Config, Classifiers: r.Classifiers, PerThousand: r.HourlyPrice > 0}
	for i, row := range r.Rows {
		v := rowView{row.Result, i + 1, quoted(row, r.Published), r.HourlyPrice}
		p.Rows = append(p.Rows, v)
		p.HasQuoted = p.HasQuoted || v.Quoted.Text != ""
		p.HasBoundary = p.HasBoundary || row.Boundary != nil
		p.HasUnsure = p.HasUnsure || row.Undecided > 0
		p.HasDetails = p.HasDetails || v.Detailed()
	}
	p.Subtitle = subtitle(r.Rows)
	p.Headline = headline(r.Rows)
	if at := best(r.Rows); at >= 0 && scored(r.Rows) > 1 {
		p.BestName = r.Rows[at].Name
	}
	p.Tables = classTables(r.Rows, r.Published)
	p.Besides = besides(r)
	p.Settings = settingsOf(r.Rows)
	p.Provenance = origins(r)
	var err error
	if p.Comparisons, err = comparisons(r.Rows); err != nil {
		return nil, err
	}
	if p.Differ, err = differences(ctx, r); err != nil {
		return nil, err
	}
	if p.Quality, err = qualities(r.Rows); err != nil {
		return nil, err
	}
	p.Literature = literatureOf(r.Rows)
	p.Examples, p.Best = g.examples(), best(r.Rows)+1
	p.Scored = p.Best > 0 || slices.ContainsFunc(r.Rows, func(row Row) bool { return row.MIoU.Valid() })
	p.Speeds = slices.ContainsFunc(r.Rows, func(row Row) bool { return row.PerSecond > 0 })
	p.Says, p.Help = says(r, p), help(r)
	p.Payoff = payoffOf(r.Payoffs)
	if p.Charts, err = charts(r.Curves, r.Warn); err != nil {
		return nil, err
	}
	return p, nil
}

// undefined is a score that there is none of.
var undefined = eval.Value(math.NaN())

func subtitle(rows []Row) string {
	var parts []string
	for _, r := range rows {
		s := fmt.Sprintf("%s %s: %s", r.Dataset, r.Split, words.Plural(r.Images, "image"))
		if r.Images == 0 {
			s = fmt.Sprintf("%s %s: %s without true masks", r.Dataset, r.Split, words.Plural(r.Unscored, "image"))
		}
		if !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " · ")
}

// headline picks the numbers that people quote: the first pseudo-label, the
// first network, the bound, and how much of the bound the network reaches.
func headline(rows []Row) []Stat {
	first := func(k eval.Kind) *eval.Result {
		for _, r := range rows {
			if r.Kind == k {
				return r.Result
			}
		}
		return nil
	}
	var out []Stat
	add := func(label string, r *eval.Result) {
		if r != nil && r.MIoU.Valid() {
			out = append(out, Stat{label, r.MIoU, fmt.Sprintf("%s, %s", r.Name, r.Split)})
		}
	}
	network, bound := first(eval.KindNetwork), first(eval.KindBound)
	add("pseudo-label mIoU", first(eval.KindPseudo))
	add("network mIoU", network)
	add("fully supervised bound", bound)
	if network != nil && bound != nil && network.Split == bound.Split && bound.MIoU > 0 {
		out = append(out, Stat{"network / bound", network.MIoU / bound.MIoU, "share of the bound reached"})
	}
	add("zero-shot mIoU", first(eval.KindZeroShot))
	if len(out) == 0 && len(rows) > 0 {
		add("mIoU", rows[0].Result)
	}
	return out
}

// classTables groups the rows that have scores by their list of classes.
func classTables(rows []Row, repeats []string) []classTable {
	var tables []classTable
	var keys []string
	for _, r := range rows {
		if r.Images == 0 {
			continue
		}
		key := strings.Join(r.Classes, "\x00")
		t := slices.Index(keys, key)
		if t < 0 {
			t = len(tables)
			keys = append(keys, key)
			tables = append(tables, classTable{})
			for _, name := range r.Classes {
				tables[t].Classes = append(tables[t].Classes, classRow{Name: name})
			}
			tables[t].Classes = append(tables[t].Classes, classRow{Name: "mean"})
		}
		tables[t].Names = append(tables[t].Names, r.Name)
		for c := range tables[t].Classes {
			v := r.MIoU
			if c < len(r.IoU) {
				v = r.IoU[c]
			}
			tables[t].Classes[c].IoU = append(tables[t].Classes[c].IoU, v)
		}
		tables[t].quote(r, repeats)
	}
	return tables
}

// quote sets beside a row what its paper prints of single classes.
func (t *classTable) quote(r Row, repeats []string) {
	q := quoted(r, repeats)
	p, ok := published.ByName(q.name)
	column, _ := columnOf(r.Result)
	values := p.PerClass(column)
	if !ok || values == nil {
		return
	}
	t.Names = append(t.Names, p.Method+", published ("+p.Source()+")")
	for c := range t.Classes {
		v := undefined
		if x, ok := values[t.Classes[c].Name]; ok {
			v = eval.Value(x / 100)
		} else if c == len(t.Classes)-1 {
			v = eval.Value(q.value / 100)
		}
		t.Classes[c].IoU = append(t.Classes[c].IoU, v)
	}
}

// maxComparisons bounds the table of paired differences.
const maxComparisons = 15

func comparisons(rows []Row) ([]Comparison, error) {
	var out []Comparison
	for i, a := range rows {
		for _, b := range rows[i+1:] {
			if len(out) == maxComparisons {
				return out, nil
			}
			if !sameImages(a.Result, b.Result) {
				continue
			}
			d, err := eval.Compare(a.Result, b.Result, metrics.Boot{})
			if err != nil {
				return nil, err
			}
			out = append(out, Comparison{a.Name, b.Name, d})
		}
	}
	return out, nil
}

func sameImages(a, b *eval.Result) bool {
	return a.Dataset == b.Dataset && a.Split == b.Split && a.Protocol == b.Protocol && len(a.PerImage) > 0 &&
		slices.Equal(a.Classes, b.Classes) && slices.Equal(a.IDs(), b.IDs())
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

func className(names []string, c int) string {
	if c >= 0 && c < len(names) {
		return names[c]
	}
	return fmt.Sprintf("class %d", c)
}

var funcs = template.FuncMap{
	"pct":     func(v eval.Value) string { return v.Percent() },
	"pctf":    func(v float64) string { return eval.Value(v).Percent() },
	"mul100":  func(v float64) float64 { return 100 * v },
	"signed":  func(v float64) string { return fmt.Sprintf("%+.1f", 100*v) },
	"rate":    rate,
	"pvalue":  pvalue,
	"heat":    heat,
	"inc":     func(i int) int { return i%6 + 1 },
	"isTotal": func(i int, list []classRow) bool { return i == len(list)-1 },
	"rules":   func(t settingsTable) []string { return t.rules() },
	"papers":  func() map[string]string { return published.Papers },
	"keys":    sortedKeys[eval.Value],
}

// rate prints images per second; "–" where it was not measured.
func rate(perSecond float64) string {
	if perSecond <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.4g", perSecond)
}

// pvalue prints a bootstrap p-value, which is no finer than its resamples.
func pvalue(d metrics.Difference) string {
	if least := 2 / float64(d.Interval.Resamples); d.P < least {
		return fmt.Sprintf("< %.3g", least)
	}
	return fmt.Sprintf("%.3f", d.P)
}

// heat is a score as a number 0..100 for CSS; -1 where undefined.
func heat(v eval.Value) float64 {
	if !v.Valid() {
		return -1
	}
	return float64(int(1000*v)) / 10
}

// htmlPage prints the page. Style and script come from this package and are
// trusted; everything else is escaped by html/template.
func htmlPage(w io.Writer, p *page) error {
	t, err := template.New("report.tmpl.html").Funcs(funcs).ParseFS(assets, "report.tmpl.html")
	if err != nil {
		return err
	}
	js, err := assets.ReadFile("report.js")
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*page
		CSS template.CSS
		JS  template.JS
	}{p, style(), template.JS(js)})
}
