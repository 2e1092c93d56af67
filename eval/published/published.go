// Package published holds numbers that papers report, as data, so that a
// report can show where a run stands. They are quotations: none was measured
// by wsss, and what looks miscopied in its source is marked.
package published

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed published.csv
var table string

// Column names one kind of score.
type Column string

// The columns of the data.
const (
	VOCPseudo  Column = "voc_pseudo" // pseudo-labels on VOC 2012 train
	VOCVal     Column = "voc_val"
	VOCTest    Column = "voc_test"
	COCOPseudo Column = "coco_pseudo" // pseudo-labels on COCO 2014 train
	COCOVal    Column = "coco_val"
)

// Columns lists the score columns in the file's order.
var Columns = []Column{VOCPseudo, VOCVal, VOCTest, COCOPseudo, COCOVal}

// Papers are the sources, by the key that Row.Paper holds.
var Papers = map[string]string{
	"chen2023":  "Chen & Sun 2023, Weakly-Supervised Semantic Segmentation with Image-Level Labels: from Traditional Models to Foundation Models",
	"box2024":   "CLIP + Grounding-DINO + SAM inside the bounding box, Pattern Recognition 2024",
	"sepl2023":  "Chen et al. 2023, Segment Anything Model (SAM) Enhanced Pseudo Labels for Weakly Supervised Semantic Segmentation; numbers as box2024 quotes them",
	"jiang2023": "Jiang & Yang 2023, Segment Anything is A Good Pseudo-label Generator for Weakly Supervised Semantic Segmentation",
}

// Score is one printed number.
type Score struct {
	Percent float64
	Doubt   string // why it should not be used; "" = as printed, no reason known
}

// Row is one line of a paper's table. Empty fields are not given there.
type Row struct {
	Paper       string // key of Papers
	Table       string
	Number      int    // line in that table, from 1
	Group       string // heading in the table
	Method      string
	Venue       string
	Supervision string // F full masks, I image labels, points, scribbles, boxes; + C CLIP, D Grounding-DINO, S SAM, saliency
	Backbone    string // of the classifier
	Segmenter   string // backbone of the segmentation network
	Pretrain    string // of the segmentation network
	Scores      map[Column]Score
}

// Source is the short reference, "chen2023, table 1, row 54".
func (r Row) Source() string {
	return fmt.Sprintf("%s, table %s, row %d", r.Paper, r.Table, r.Number)
}

// rows is parsed at its first use; a mistake in the embedded file is a bug, and the test
// finds it.
var rows = sync.OnceValue(func() []Row {
	list, err := parse(table)
	if err != nil {
		panic("published: " + err.Error())
	}
	return list
})

// Ablation is the group of rows that vary one method: reports leave them out.
const Ablation = "ablation"

// All lists every row in the order of papers and tables. Callers must not
// change it.
func All() []Row { return rows() }

const textColumns = 10

func parse(text string) ([]Row, error) {
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []Row
	for n, f := range lines[1:] {
		line := n + 2
		if Papers[f[0]] == "" {
			return nil, fmt.Errorf("line %d: unknown paper %q", line, f[0])
		}
		r := Row{Paper: f[0], Table: f[1], Group: f[3], Method: f[4], Venue: f[5], Supervision: f[6],
			Backbone: f[7], Segmenter: f[8], Pretrain: f[9], Scores: map[Column]Score{}}
		if r.Number, err = strconv.Atoi(f[2]); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		doubted, why, _ := strings.Cut(f[textColumns+len(Columns)], ": ")
		for i, c := range Columns {
			text := f[textColumns+i]
			if text == "" {
				continue
			}
			s := Score{}
			if s.Percent, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			for _, d := range strings.Split(doubted, "|") {
				if d == string(c) {
					s.Doubt = why
				}
			}
			r.Scores[c] = s
		}
		out = append(out, r)
	}
	return out, nil
}
