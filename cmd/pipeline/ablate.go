package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/eval"
	"wsss/eval/report"
)

// maxGrid bounds the number of runs that one typing error can start.
const maxGrid = 1000

// Axis is one varied key.
type Axis struct {
	key    string
	Values []string
}

// ParseGrid reads the values of a grid's keys, "key=a,b,c" or "key=1..3" each.
func ParseGrid(vary []string) ([]Axis, error) {
	if len(vary) == 0 {
		return nil, errors.New("ablate: -vary is missing, for example -vary gen.weak=boxes,points -vary seed=0..2")
	}
	var grid []Axis
	runs := 1
	for _, v := range vary {
		key, text, ok := strings.Cut(v, "=")
		if !ok || key == "" || text == "" {
			return nil, fmt.Errorf("ablate: -vary %s: want key=a,b,c or key=1..3", v)
		}
		values, err := parseValues(text)
		if err != nil {
			return nil, fmt.Errorf("ablate: -vary %s: %w", v, err)
		}
		if slices.ContainsFunc(grid, func(a Axis) bool { return a.key == key }) {
			return nil, fmt.Errorf("ablate: -vary %s: the key is varied twice", key)
		}
		grid = append(grid, Axis{key, values})
		if runs *= len(values); runs > maxGrid {
			return nil, fmt.Errorf("ablate: more than %d runs", maxGrid)
		}
	}
	return grid, nil
}

func parseValues(text string) ([]string, error) {
	if low, high, ok := strings.Cut(text, ".."); ok {
		a, err1 := strconv.Atoi(low)
		b, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || a > b || b-a >= maxGrid {
			return nil, fmt.Errorf("%s: allowed is a..b with whole numbers a <= b, at most %d of them", text, maxGrid)
		}
		var values []string
		for i := a; i <= b; i++ {
			values = append(values, strconv.Itoa(i))
		}
		return values, nil
	}
	sep := ","
	if strings.Contains(text, "|") {
		sep = "|"
	}
	return strings.Split(text, sep), nil
}

// Cell is one run of the grid.
type Cell struct {
	Name   string   // key=value pairs
	Values []string // one per axis, seed left out
	Keys   []string
	cfg    configs.Config
	Rows   []report.Row
}

// GridCells loads every combination as a config of its own, so that a wrong
// value is found before the first run.
func GridCells(load func(set ...string) (configs.Config, error), base configs.Config, grid []Axis) ([]Cell, error) {
	combos := [][]string{nil}
	for _, a := range grid {
		var next [][]string
		for _, c := range combos {
			for _, v := range a.Values {
				next = append(next, append(slices.Clone(c), a.key+"="+v))
			}
		}
		combos = next
	}
	var cells []Cell
	for _, combo := range combos {
		name := strings.Join(combo, " ")
		cfg, err := load(combo...)
		if err == nil {
			p := &Plan{Run: &Run{Config: cfg}, Print: io.Discard}
			err = p.check(Parts{Gen: true, Train: true, Eval: true})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		cfg.Name = base.Name + ": " + name
		cfg.Out = filepath.Join(base.Out, "ablate", FileName(name))
		c := Cell{Name: name, cfg: cfg}
		for _, pair := range combo {
			if key, value, _ := strings.Cut(pair, "="); key != "seed" {
				c.Keys, c.Values = append(c.Keys, key), append(c.Values, value)
			}
		}
		cells = append(cells, c)
	}
	return cells, nil
}

// Run does one cell; its pseudo-labels lie where every cell with the same
// settings finds them.
func (c *Cell) Run(ctx context.Context, o Options, eng *compute.Backend) error {
	p, err := Open(c.cfg, o)
	if err != nil {
		return err
	}
	p.genDir = filepath.Join(filepath.Dir(c.cfg.Out), "gen-"+c.cfg.GenHash())
	p.Backend = *eng
	c.Rows, err = p.All(ctx)
	*eng = p.Backend
	return err
}

// Ablate does all cells below OUT/ablate and writes table.md, table.json and
// table.html there. begins is told the number of each cell before it is done.
func Ablate(ctx context.Context, base configs.Config, cells []Cell, o Options, begins func(i int)) (Ablation, error) {
	dir := filepath.Join(base.Out, "ablate")
	held, err := Hold(dir)
	if err != nil {
		return Ablation{}, err
	}
	defer held.Release()
	var engine compute.Backend // shared by all
	for i := range cells {
		begins(i)
		if err := cells[i].Run(ctx, o, &engine); err != nil {
			return Ablation{}, fmt.Errorf("%s: %w", cells[i].Name, err)
		}
	}
	table := Tabulate(cells)
	err = files.WriteJSON(filepath.Join(dir, "table.json"), table)
	if err == nil {
		err = report.WriteGrid(dir, table.Grid(base.Name, cells))
	}
	if err == nil {
		err = files.WriteAtomic(filepath.Join(dir, "table.md"), func(w io.Writer) error {
			_, err := io.WriteString(w, table.Markdown())
			return err
		})
	}
	return table, err
}

// Ablation is the grid's outcome.
type Ablation struct {
	Keys    []string      `json:"keys"`
	Columns []string      `json:"columns"` // names of scored rows
	Rows    []ablationRow `json:"rows"`
}

type ablationRow struct {
	Values []string                `json:"values"`
	Scores map[string][]eval.Value `json:"scores"` // mIoU per seed, by column
}

// Grid is the table as a page, with the report of the first run of each row.
func (t Ablation) Grid(title string, cells []Cell) report.Grid {
	g := report.Grid{Title: title + ": ablation", Keys: t.Keys, Columns: t.Columns}
	for _, r := range t.Rows {
		row := report.GridRow{Values: r.Values}
		for _, c := range t.Columns {
			row.Scores = append(row.Scores, r.Scores[c])
		}
		for _, c := range cells {
			if slices.Equal(c.Values, r.Values) {
				row.Report = filepath.Base(c.cfg.Out)
				break
			}
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// Tabulate groups the cells that differ in the seed only.
func Tabulate(cells []Cell) Ablation {
	t := Ablation{}
	at := map[string]int{}
	for _, c := range cells {
		t.Keys = c.Keys
		group := strings.Join(c.Values, "\x00")
		i, ok := at[group]
		if !ok {
			i = len(t.Rows)
			at[group] = i
			t.Rows = append(t.Rows, ablationRow{Values: c.Values, Scores: map[string][]eval.Value{}})
		}
		for _, r := range c.Rows {
			if !slices.Contains(t.Columns, r.Name) {
				t.Columns = append(t.Columns, r.Name)
			}
			t.Rows[i].Scores[r.Name] = append(t.Rows[i].Scores[r.Name], r.MIoU)
		}
	}
	return t
}

// Markdown is the table of mean ± sample standard deviation, in percent.
func (t Ablation) Markdown() string {
	var b strings.Builder
	head := append(slices.Clone(t.Keys), t.Columns...)
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range t.Rows {
		line := slices.Clone(r.Values)
		for _, col := range t.Columns {
			line = append(line, meanSD(r.Scores[col]))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
	}
	return b.String()
}

func meanSD(scores []eval.Value) string {
	if len(scores) == 0 {
		return "–"
	}
	mean := 0.0
	for _, s := range scores {
		mean += 100 * float64(s) / float64(len(scores))
	}
	if len(scores) == 1 {
		return fmt.Sprintf("%.1f", mean)
	}
	sum := 0.0
	for _, s := range scores {
		sum += (100*float64(s) - mean) * (100*float64(s) - mean)
	}
	return fmt.Sprintf("%.1f ± %.1f (n=%d)", mean, math.Sqrt(sum/float64(len(scores)-1)), len(scores))
}
