package report

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
	"wsss/eval"
)

// Methods is a table of pseudo-label methods side by side with what papers
// print.
type Methods struct {
	Title  string      `json:"title"`
	Note   string      `json:"note"` // what was labelled
	Seeds  []int64     `json:"seeds"`
	Rows   []MethodRow `json:"rows"`
	Orders []Order     `json:"orders"` // which row was expected above which
	Stages []string    `json:"stages"` // names of MethodRow.Shares
}

// MethodRow is one method on one form of weak label.
type MethodRow struct {
	Name      string       `json:"name"`
	Method    string       `json:"method"`
	Weak      string       `json:"weak"`
	MIoU      []eval.Value `json:"miou"` // one per seed
	Published float64      `json:"published,omitempty"`
	Doubt     string       `json:"doubt,omitempty"`
	Source    string       `json:"source,omitempty"` // paper, table and row of Published
	PerSecond float64      `json:"images_per_s,omitempty"`
	Shares    []float64    `json:"shares,omitempty"` // of the time, by stage; adds up to 1
}

// Order says that papers have one row above another, and whether it is so
// here.
type Order struct {
	Above  string    `json:"above"`
	Below  string    `json:"below"`
	Deltas []float64 `json:"deltas"` // mIoU of above minus below, by seed
	// Published is by how many points a paper has it above; Source which. 0 = it
	// prints no such number.
	Published float64 `json:"published,omitempty"`
	Source    string  `json:"source,omitempty"`
}

// Mean is the mean over seeds.
func (r MethodRow) Mean() eval.Value {
	sum := 0.0
	for _, v := range r.MIoU {
		sum += float64(v)
	}
	return eval.Value(sum / float64(len(r.MIoU)))
}

// Score is the mean in per cent, with the sample deviation where there are
// several seeds.
func (r MethodRow) Score() string {
	mean := r.Mean()
	if len(r.MIoU) < 2 || !mean.Valid() {
		return mean.Percent()
	}
	sum := 0.0
	for _, v := range r.MIoU {
		sum += math.Pow(float64(v-mean), 2)
	}
	return fmt.Sprintf("%s ± %.1f", mean.Percent(), 100*math.Sqrt(sum/float64(len(r.MIoU)-1)))
}

// Paper is the published number, "?" where it is doubted.
func (r MethodRow) Paper() string {
	switch {
	case r.Source == "":
		return ""
	case r.Doubt != "":
		return fmt.Sprintf("%.1f?", r.Published)
	}
	return fmt.Sprintf("%.1f", r.Published)
}

// Rate is the images per second in words.
func (r MethodRow) Rate() string {
	if r.PerSecond == 0 {
		return "–"
	}
	return rate(r.PerSecond)
}

// Share is a stage's share of the time, in per cent.
func (r MethodRow) Share(stage int) string {
	if stage >= len(r.Shares) || r.Shares[stage] == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", 100*r.Shares[stage])
}

// Holds tells whether the order holds on the mean over seeds.
func (o Order) Holds() bool { return o.mean() > 0 }

func (o Order) mean() float64 {
	sum := 0.0
	for _, d := range o.Deltas {
		sum += d
	}
	return sum / float64(len(o.Deltas))
}

// String is the order in words: "boxes above points: yes, by 12.3 (3 of 3 seeds)".
func (o Order) String() string {
	n := 0
	for _, d := range o.Deltas {
		if d > 0 {
			n++
		}
	}
	answer := "no"
	if o.Holds() {
		answer = "yes"
	}
	text := fmt.Sprintf("%s above %s: %s, by %+.1f (%d of %d seeds)", o.Above, o.Below, answer, 100*o.mean(), n, len(o.Deltas))
	if o.Source != "" {
		text += fmt.Sprintf("; %+.1f in %s", o.Published, o.Source)
	}
	return text
}

// Heads are the titles of the columns.
func (m Methods) Heads() []string {
	return append([]string{"method", "weak label", "mIoU", "paper (VOC)", "source", "images/s"}, m.Stages...)
}

// Cells are the columns of a row, stages in per cent of the time.
func (m Methods) Cells(r MethodRow) []string {
	cells := []string{r.Name, r.Weak, r.Score(), r.Paper(), r.Source, r.Rate()}
	for i := range m.Stages {
		cells = append(cells, r.Share(i))
	}
	return cells
}

// Markdown is the table and the orders as text.
func (m Methods) Markdown() string {
	var b strings.Builder
	w := &mdWriter{w: &b}
	w.line("# %s\n\n%s\n", md(m.Title), md(m.Note))
	w.row(m.Heads()...)
	w.line("| --- | --- | ---: | ---: | --- | ---: |%s", strings.Repeat(" ---: |", len(m.Stages)))
	for _, r := range m.Rows {
		w.row(m.Cells(r)...)
	}
	if len(m.Orders) > 0 {
		w.line("\nThe papers' order:\n")
	}
	for _, o := range m.Orders {
		w.line("- %s", md(o.String()))
	}
	return b.String()
}

// WriteMethods writes dir/table.md, table.json and table.html.
func WriteMethods(dir string, m Methods) error {
	if err := files.WriteJSON(filepath.Join(dir, "table.json"), m); err != nil {
		return err
	}
	err := files.WriteAtomic(filepath.Join(dir, "table.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, m.Markdown())
		return err
	})
	if err != nil {
		return err
	}
	var pictures []shown
	for _, seed := range m.Seeds {
		pictures = append(pictures, show(dir, fmt.Sprint("seed-", seed), fmt.Sprint("seed ", seed)))
	}
	return writeBars(dir, "methods.tmpl.html", struct {
		Methods
		Pictures []shown
		CSS      template.CSS
	}{m, pictures, style()})
}
