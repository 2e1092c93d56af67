package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
	"wsss/eval"
)

// Grid is a table of scores of several runs, as a page with bars and pictures.
type Grid struct {
	Title   string
	Note    string
	Keys    []string // names of the first columns
	Columns []string // names of the scores
	Rows    []GridRow
}

// GridRow is what one combination of values led to.
type GridRow struct {
	Values []string
	Scores [][]eval.Value // by column, one per seed
	Report string         // folder of a report of the row, relative to the page; "" = none
}

// Score is a column's mean and deviation in per cent.
func (r GridRow) Score(column int) string {
	if column >= len(r.Scores) || len(r.Scores[column]) == 0 {
		return "–"
	}
	return MethodRow{MIoU: r.Scores[column]}.Score()
}

// Bar is a column's mean in per cent, 0 where there is none.
func (r GridRow) Bar(column int) float64 {
	if column >= len(r.Scores) || len(r.Scores[column]) == 0 {
		return 0
	}
	return percentOf(MethodRow{MIoU: r.Scores[column]}.Mean())
}

func percentOf(v eval.Value) float64 {
	if !v.Valid() {
		return 0
	}
	return math.Round(1000*float64(v)) / 10
}

// Bar is the mean in per cent, 0 where there is none.
func (r MethodRow) Bar() float64 { return percentOf(r.Mean()) }

// shown is a report beside a table, with one of its examples.
type shown struct {
	Name, Link string
	Example    *example
}

// show takes an example out of the report in dir/sub, of the rank that says
// most: the median image. A report that is not there has none.
func show(dir, sub, name string) shown {
	s := shown{Name: name}
	raw, err := files.ReadFile(filepath.Join(dir, filepath.FromSlash(sub), JSONName))
	if err != nil {
		return s
	}
	var doc struct{ Examples []example }
	if json.Unmarshal(raw, &doc) != nil {
		return s
	}
	parts := strings.Split(sub, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	base := strings.Join(parts, "/") + "/"
	s.Link = base + HTMLName
	for i := range doc.Examples {
		e := &doc.Examples[i]
		if s.Example == nil || e.Rank == "median" && s.Example.Rank != "median" {
			s.Example = e
		}
	}
	if s.Example != nil {
		for i := range s.Example.Tiles {
			t := &s.Example.Tiles[i]
			if t.Photo = base + t.Photo; t.Over != "" {
				t.Over = base + t.Over
			}
		}
	}
	return s
}

// WriteGrid writes dir/table.html.
func WriteGrid(dir string, g Grid) error {
	var pictures []shown
	for _, r := range g.Rows {
		if r.Report == "" {
			continue
		}
		var words []string
		for i, v := range r.Values {
			words = append(words, g.Keys[i]+" = "+v)
		}
		pictures = append(pictures, show(dir, r.Report, strings.Join(words, ", ")))
	}
	return writeBars(dir, "grid.tmpl.html", struct {
		Grid
		Pictures []shown
		CSS      template.CSS
	}{g, pictures, style()})
}

// style is the style of all pages.
func style() template.CSS {
	css, err := assets.ReadFile("report.css")
	if err != nil {
		panic(err) // it is in the program
	}
	return template.CSS(css)
}

// writeBars writes dir/table.html by a template of this package.
func writeBars(dir, name string, v any) error {
	t, err := template.New(name).Funcs(template.FuncMap{"bar": func(p float64) string { return fmt.Sprintf("%.1f", p) }}).ParseFS(assets, name, "shown.tmpl.html")
	if err != nil {
		return err
	}
	return files.WriteAtomic(filepath.Join(dir, "table.html"), func(w io.Writer) error { return t.Execute(w, v) })
}
