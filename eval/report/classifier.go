package report

import (
	"encoding/json"
	"fmt"
	"io"

	"wsss/checkpoints/files"
	"wsss/eval"
)

// Classifiers are ways to name the classes in images, judged on the same ones.
type Classifiers struct {
	On      string       `json:"on"`      // dataset and split
	Classes []string     `json:"classes"` // background not among them
	Judged  []Classifier `json:"judged"`
}

// Classifier is one of them. Scores are in 0..1; AP is negative for a class
// that no image has.
type Classifier struct {
	Name      string     `json:"name"`
	Images    int        `json:"images"`
	MAP       eval.Value `json:"map"`       // VOC since 2010: area under the curve
	MAP11     eval.Value `json:"map11"`     // VOC 2007: eleven points
	MAPPlain  eval.Value `json:"map_area"`  // uninterpolated
	AP        []float64  `json:"ap"`        // per class, as MAP
	Precision eval.Value `json:"precision"` // of the labels at the thresholds
	Recall    eval.Value `json:"recall"`
	ECE       eval.Value `json:"ece"` // expected calibration error
	Bins      []struct {
		N    int     `json:"n"`
		Mean float64 `json:"mean"` // score
		Yes  float64 `json:"yes"`  // share that is right
	} `json:"bins"`
}

// maxClassifiers bounds the file that ReadClassifiers takes.
const maxClassifiers = 16 << 20

// ReadClassifiers reads the result file of `wsss finetune-clip`. The error names
// the file.
func ReadClassifiers(path string) (*Classifiers, error) {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := &Classifiers{}
	if err := json.NewDecoder(io.LimitReader(f, maxClassifiers)).Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, j := range c.Judged {
		if len(j.AP) != len(c.Classes) {
			return nil, fmt.Errorf("%s: %s has %d average precisions for %d classes", path, j.Name, len(j.AP), len(c.Classes))
		}
	}
	return c, nil
}

// Table is the average precision per class of all of them.
func (c *Classifiers) Table() []classRow {
	rows := make([]classRow, len(c.Classes))
	for i, name := range c.Classes {
		rows[i].Name = name
		for _, j := range c.Judged {
			rows[i].IoU = append(rows[i].IoU, apValue(j.AP[i]))
		}
	}
	return rows
}

func apValue(ap float64) eval.Value {
	if ap < 0 {
		return undefined
	}
	return eval.Value(ap)
}

// Calibration draws how often a score is right over the score, and the diagonal
// on which probabilities lie.
func (c *Classifiers) Calibration() chart {
	out := chart{Name: "share that is right over probability"}
	f := newFrame([]float64{0, 1}, []float64{0, 1})
	f.ticks(&out)
	point := func(x, y float64) string { return fmt.Sprintf("%.1f,%.1f ", f.px(x), f.py(y)) }
	out.Lines = append(out.Lines, line{Name: "calibrated", Number: 6, Points: point(0, 0) + point(1, 1)})
	for i, j := range c.Judged {
		l := line{Name: j.Name, Number: i%5 + 1, Last: "ECE " + j.ECE.Percent(), Single: len(j.Bins) == 1}
		for _, b := range j.Bins {
			l.Points += point(b.Mean, b.Yes)
		}
		out.Lines = append(out.Lines, l)
	}
	return out
}

func (m *mdWriter) classifiers(c *Classifiers) {
	if c == nil {
		return
	}
	m.line("\n## Image labels on %s\n", md(c.On))
	m.row("", "images", "mAP VOC 2010", "VOC 2007", "uninterpolated", "label precision", "recall", "calibration error")
	m.rule(1, 8)
	for _, j := range c.Judged {
		m.row(j.Name, fmt.Sprint(j.Images), j.MAP.Percent(), j.MAP11.Percent(), j.MAPPlain.Percent(), j.Precision.Percent(), j.Recall.Percent(), j.ECE.Percent())
	}
	head := []string{"AP"}
	for _, j := range c.Judged {
		head = append(head, j.Name)
	}
	m.line("")
	m.row(head...)
	m.rule(1, len(head))
	for _, r := range c.Table() {
		cells := []string{r.Name}
		for _, v := range r.IoU {
			cells = append(cells, v.Percent())
		}
		m.row(cells...)
	}
}
