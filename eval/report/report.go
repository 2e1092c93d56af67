// Package report shows scored label maps to people: one static HTML page that
// opens from disk without a network, Markdown for a repository or a paper's
// notes, and JSON for programs. All three hold the same numbers.
package report

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
)

// The files that Write leaves in its folder.
const (
	HTMLName     = "report.html"
	MarkdownName = "report.md"
	JSONName     = "report.json"
	FilesName    = "report_files" // folder of small pictures, loaded as they scroll into view
)

//go:embed report.tmpl.html grid.tmpl.html methods.tmpl.html shown.tmpl.html report.css report.js
var assets embed.FS

// Report is what there is to show: Rows or Classifiers at least; what is empty
// is left out of the page.
type Report struct {
	Title   string
	Rows    []Row
	Dataset data.Dataset // photos and true masks; nil = no pictures
	Curves  []Curve

	Classifiers *Classifiers // of image labels

	Look   []Look
	Config string          // the run's config file, shown as text
	From   eval.Provenance // of the report; a row's own provenance is in its Result

	// HourlyPrice of the machine, in any currency; with it the table tells the
	// price of 1,000 images, without it the seconds per image.
	HourlyPrice float64
	// Published are rows of papers, by published.Row.Name, that this run
	// repeats: their numbers stand beside it, grey.
	Published []string

	Overlays int // images in the gallery per split, worst first, beside those of Look; 0 = all
	Workers  int // goroutines that make pictures; 0 = one per CPU

	// Weak is the form of weak labels that is drawn on photos; "" = all that
	// there are.
	Weak data.WeakKind

	Census *Census // what there is to learn from; nil = not counted

	// Again tells which labels were made again since the first run, when and why: the
	// oldest first.
	Again []string

	Payoffs []Payoff // what correcting images led to; empty = not tried

	Warn func(string) // hears of damaged lines in the logs of Curves; may be nil
}

// Row is one line of the results table.
type Row struct {
	*eval.Result
	Labels string // folder of <id>.png that was scored; "" = no pictures of this row

	// Shown are images for the gallery beside the scored ones: labels of photos
	// without true masks (see eval.Unscored).
	Shown []string

	// Published is the row of a paper that this one is, by its name; "" = one
	// of Report.Published, or else full supervision's where it is that.
	Published string

	// Quality scores by image id, made without ground truth, higher = better:
	// the report shows their agreement with the true IoU and, if Report.Look
	// is empty, lists the lowest.
	Quality map[string]float64
	// Doubts say in words why a label is doubted, by image id.
	Doubts map[string]string
}

// Curve is the log of one training run: a JSON object per line with a step and
// any numbers, see ReadLog.
type Curve struct {
	Name string
	Log  string // path
	// Speed is a further log, of time and memory; "" or missing = none.
	Speed string
}

// Look is an image that a person should check first, for example because a
// quality score without ground truth is low.
type Look struct {
	Split string  `json:"split"`
	ID    string  `json:"id"`
	Score float64 `json:"score"` // lower is more suspicious
	Why   string  `json:"why"`
}

// Write makes dir/report.html, .md, .json and the folder of pictures beside
// them. Pictures that are up to date are kept, those of rows that are gone are removed.
// Progress counts images and may be nil. The same input gives the
// same bytes.
func Write(ctx context.Context, dir string, r Report, progress eval.Progress) error {
	if len(r.Rows) == 0 && r.Classifiers == nil {
		return errors.New("a report needs at least one result")
	}
	for i, row := range r.Rows {
		if row.Result == nil {
			return fmt.Errorf("report row %d has no result", i)
		}
	}
	if r.Title == "" {
		r.Title = "wsss report"
	}
	r.Workers = data.Workers(r.Workers)
	r.Look = lookFirst(&r)
	g, err := buildGallery(ctx, dir, &r, progress)
	if err != nil {
		return err
	}
	p, err := newPage(ctx, &r, g)
	if err != nil {
		return err
	}
	write := func(name string, do func(io.Writer) error) error {
		return files.WriteAtomic(filepath.Join(dir, name), do)
	}
	if err := write(MarkdownName, func(w io.Writer) error { return markdown(w, p) }); err != nil {
		return err
	}
	if err := files.WriteJSON(filepath.Join(dir, JSONName), p.document(&r)); err != nil {
		return err
	}
	return write(HTMLName, func(w io.Writer) error { return htmlPage(w, p) })
}

// Document is report.json.
type Document struct {
	Title       string          `json:"title"`
	Headline    []Stat          `json:"headline"`
	Results     []*eval.Result  `json:"results"`
	Says        []string        `json:"says,omitempty"` // what the numbers say, in sentences
	Help        []string        `json:"help,omitempty"` // and what would help
	Comparisons []Comparison    `json:"comparisons,omitempty"`
	Examples    []example       `json:"examples,omitempty"` // pictures, relative to the page
	Classifiers *Classifiers    `json:"classifiers,omitempty"`
	Look        []Look          `json:"look_first,omitempty"`
	From        eval.Provenance `json:"provenance"`
	Again       []string        `json:"made_again,omitempty"`
	Config      string          `json:"config,omitempty"`
}

// Stat is one headline number, in 0..1; for a ratio above 1 is possible.
type Stat struct {
	Label string     `json:"label"`
	Value eval.Value `json:"value"`
	Note  string     `json:"note"`
}

// Comparison is the paired difference of two rows that scored the same images.
type Comparison struct {
	A string `json:"a"`
	B string `json:"b"`
	metrics.Difference
}

func (p *page) document(r *Report) Document {
	d := Document{Title: r.Title, Headline: p.Headline, Says: p.Says, Help: p.Help, Comparisons: p.Comparisons, Examples: p.Examples, Classifiers: r.Classifiers, Look: r.Look, From: r.From, Again: r.Again, Config: r.Config}
	for _, row := range r.Rows {
		d.Results = append(d.Results, row.Result)
	}
	return d
}
