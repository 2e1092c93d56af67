package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wsss/data/coco"
	"wsss/data/voc"
	"wsss/data/words"
	"wsss/eval"
	"wsss/eval/published"
)

// literature sets a run's numbers among published ones: sorted, own rows bold.
type literature struct {
	Title   string
	Columns []string // titles of the scores
	Rows    []litRow
}

type litRow struct {
	Own         bool
	Method      string
	Venue       string
	Supervision string
	Backbone    string // of classifier and segmentation network
	Pretrain    string
	Source      string
	Cells       []litCell
}

type litCell struct {
	Text   string
	Doubt  string
	Source string  // paper, table and row; "" where the line says it
	value  float64 // per cent; -1 = none
	name   string  // of the published row; "" = of none
}

// litTable is one of them.
type litTable struct {
	dataset string
	title   string
	kinds   []eval.Kind
	columns []published.Column
	names   []string
	splits  [][]string
}

// papersClasses are the classes of the data sets that papers score on. A data
// set of another table of classes is somebody's own, whatever its layout.
var papersClasses = map[string][]string{"voc": voc.ClassNames, "coco": coco.ClassNames}

// holds tells whether a result is of the table's data and kind.
func (t litTable) holds(r *eval.Result) bool {
	return strings.EqualFold(r.Dataset, t.dataset) && slices.Contains(t.kinds, r.Kind) &&
		len(r.Classes) > 0 && slices.Equal(r.Classes[1:], papersClasses[t.dataset])
}

// splitSizes are the images of whole splits, as papers score them: COCO's have
// a second number, without the images that hold no annotation.
var splitSizes = map[published.Column][]int{
	published.VOCPseudo: {1464}, published.VOCVal: {1449}, published.VOCTest: {1456},
	published.COCOPseudo: {82783, 82081}, published.COCOVal: {40504, 40137},
}

// partial says that a result is not of a whole split; "" where it is.
func partial(r *eval.Result, c published.Column) string {
	if whole := splitSizes[c]; !slices.Contains(whole, r.Images) {
		return fmt.Sprintf("of %s; papers score %d", words.Plural(r.Images, "image"), whole[0])
	}
	return ""
}

// litTables are the comparisons that papers print, and which of a run's splits
// belong in them.
var litTables = []litTable{
	{"voc", "Pseudo-labels on VOC 2012 train", []eval.Kind{eval.KindPseudo}, []published.Column{published.VOCPseudo}, []string{"train"}, [][]string{{"train"}}},
	{"voc", "Networks and zero-shot methods on VOC 2012", notPseudo, []published.Column{published.VOCVal, published.VOCTest}, []string{"val", "test"}, [][]string{{"val"}, {"test"}}},
	{"coco", "Pseudo-labels on COCO 2014 train", []eval.Kind{eval.KindPseudo}, []published.Column{published.COCOPseudo}, []string{"train"}, [][]string{{"train", "train2014"}}},
	{"coco", "Networks and zero-shot methods on COCO 2014 val", notPseudo, []published.Column{published.COCOVal}, []string{"val"}, [][]string{{"val", "val2014"}}},
}

var notPseudo = []eval.Kind{eval.KindNetwork, eval.KindBound, eval.KindZeroShot, eval.KindAgainst}

// literatureOf makes the tables in which at least one of the rows has a place.
func literatureOf(rows []Row) []literature {
	var out []literature
	for _, t := range litTables {
		lit := literature{Title: t.title, Columns: t.names}
		for _, r := range rows {
			if !t.holds(r.Result) {
				continue
			}
			own := litRow{Own: true, Method: r.Name, Supervision: string(r.Kind), Source: "this report, " + words.Plural(r.Images, "image")}
			found := false
			for i, splits := range t.splits {
				c := litCell{value: -1}
				if slices.Contains(splits, r.Split) && r.MIoU.Valid() {
					c, found = litCell{Text: r.MIoU.Percent(), Doubt: partial(r.Result, t.columns[i]), value: 100 * float64(r.MIoU)}, true
				}
				own.Cells = append(own.Cells, c)
			}
			if found {
				lit.Rows = append(lit.Rows, own)
			}
		}
		if len(lit.Rows) == 0 {
			continue
		}
		lit.Rows = append(lit.Rows, publishedRows(t.columns)...)
		slices.SortStableFunc(lit.Rows, func(a, b litRow) int { return cmp.Compare(b.best(), a.best()) })
		out = append(out, lit)
	}
	return out
}

// best is the score that a row is sorted by: the first it has.
func (r litRow) best() float64 {
	for _, c := range r.Cells {
		if c.value >= 0 {
			return c.value
		}
	}
	return -1
}

func publishedRows(columns []published.Column) []litRow {
	var out []litRow
	for _, p := range published.All() {
		if p.Group == published.Ablation {
			continue
		}
		r := litRow{Method: p.Method, Venue: p.Venue, Supervision: p.Supervision, Pretrain: p.Pretrain, Source: p.Source(),
			Backbone: strings.Trim(p.Backbone+" / "+p.Segmenter, "/ ")}
		found := false
		for _, c := range columns {
			s, ok := p.Scores[c]
			cell := litCell{value: -1}
			if ok && s.Percent < 100 { // 100 stands for true masks as pseudo-labels
				cell, found = litCell{Text: fmt.Sprintf("%.1f", s.Percent), Doubt: s.Doubt, value: s.Percent}, true
			}
			r.Cells = append(r.Cells, cell)
		}
		if found {
			out = append(out, r)
		}
	}
	return out
}
