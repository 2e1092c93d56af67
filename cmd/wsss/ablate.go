package main

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

func init() {
	register(command{name: "ablate", short: "a grid of runs, as a table of mean ± deviation", run: runAblate})
}

const ablateIntro = `
wsss ablate runs the pipeline for every combination of the values given with
-vary, below OUT/ablate. Runs with the same pseudo-label settings share them;
finished runs are skipped, so a killed grid goes on. What varies "seed" is
averaged: mean ± standard deviation.

  wsss ablate -config my.toml -vary gen.weak=boxes,points -vary seed=0..2
  wsss ablate -config my.toml -vary train.optimizer.lr=0.01,0.02 -set train.bound=false

Values are separated by commas, or by | where a value holds commas; a..b counts.
Writes OUT/ablate/table.md and table.json.`

// maxGrid bounds the number of runs that one typing error can start.
const maxGrid = 1000

func runAblate(ctx context.Context, args []string) error {
	f := newFlags("ablate", ablateIntro).withConfig()
	var vary list
	f.Var(&vary, "vary", "values of one key, as `key=a,b,c` or key=1..3; may be repeated")
	dry := f.Bool("dry-run", false, "list the runs and do nothing")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	base, err := f.load()
	if err != nil {
		return err
	}
	grid, err := parseGrid(vary)
	if err != nil {
		return usageError{err}
	}
	cells, err := gridCells(func(set ...string) (configs.Config, error) {
		cfg, err := configs.Load(f.config, append(slices.Clone(f.set), set...))
		return cfg, errors.Join(err, f.chooseBackend(&cfg))
	}, base, grid)
	if err != nil {
		return usageError{err}
	}
	if *dry {
		for _, c := range cells {
			fmt.Fprintln(stdout, c.name)
		}
		return nil
	}
	held, err := hold(filepath.Join(base.Out, "ablate"))
	if err != nil {
		return err
	}
	defer held.Release()
	var eng compute.Backend // shared by all
	for i := range cells {
		fmt.Fprintf(stderr, "[%d/%d] %s\n", i+1, len(cells), cells[i].name)
		if err := cells[i].run(ctx, f.options(), &eng); err != nil {
			return fmt.Errorf("%s: %w", cells[i].name, err)
		}
	}
	table := tabulate(cells)
	fmt.Fprint(stdout, table.markdown())
	dir := filepath.Join(base.Out, "ablate")
	if err := files.WriteJSON(filepath.Join(dir, "table.json"), table); err != nil {
		return err
	}
	return files.WriteAtomic(filepath.Join(dir, "table.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, table.markdown())
		return err
	})
}

// axis is one varied key.
type axis struct {
	key    string
	values []string
}

func parseGrid(vary []string) ([]axis, error) {
	if len(vary) == 0 {
		return nil, errors.New("ablate: -vary is missing, for example -vary gen.weak=boxes,points -vary seed=0..2")
	}
	var grid []axis
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
		if slices.ContainsFunc(grid, func(a axis) bool { return a.key == key }) {
			return nil, fmt.Errorf("ablate: -vary %s: the key is varied twice", key)
		}
		grid = append(grid, axis{key, values})
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

// cell is one run of the grid.
type cell struct {
	name   string   // key=value pairs
	values []string // one per axis, seed left out
	keys   []string
	cfg    configs.Config
	rows   []report.Row
}

// gridCells loads every combination as a config of its own, so that a wrong
// value is found before the first run.
func gridCells(load func(set ...string) (configs.Config, error), base configs.Config, grid []axis) ([]cell, error) {
	combos := [][]string{nil}
	for _, a := range grid {
		var next [][]string
		for _, c := range combos {
			for _, v := range a.values {
				next = append(next, append(slices.Clone(c), a.key+"="+v))
			}
		}
		combos = next
	}
	var cells []cell
	for _, combo := range combos {
		name := strings.Join(combo, " ")
		cfg, err := load(combo...)
		if err == nil {
			p := &plan{pipeline: &pipeline{cfg: cfg}, w: io.Discard}
			err = p.check(parts{gen: true, train: true, eval: true})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		cfg.Name = base.Name + ": " + name
		cfg.Out = filepath.Join(base.Out, "ablate", fileName(name))
		c := cell{name: name, cfg: cfg}
		for _, pair := range combo {
			if key, value, _ := strings.Cut(pair, "="); key != "seed" {
				c.keys, c.values = append(c.keys, key), append(c.values, value)
			}
		}
		cells = append(cells, c)
	}
	return cells, nil
}

// run does one cell; its pseudo-labels lie where every cell with the same
// settings finds them.
func (c *cell) run(ctx context.Context, o options, eng *compute.Backend) error {
	p, err := newPipeline(c.cfg, o)
	if err != nil {
		return err
	}
	p.genDir = filepath.Join(filepath.Dir(c.cfg.Out), "gen-"+c.cfg.GenHash())
	p.eng = *eng
	c.rows, err = p.all(ctx)
	*eng = p.eng
	return err
}

// ablation is the grid's outcome.
type ablation struct {
	Keys    []string      `json:"keys"`
	Columns []string      `json:"columns"` // names of scored rows
	Rows    []ablationRow `json:"rows"`
}

type ablationRow struct {
	Values []string                `json:"values"`
	Scores map[string][]eval.Value `json:"scores"` // mIoU per seed, by column
}

// tabulate groups the cells that differ in the seed only.
func tabulate(cells []cell) ablation {
	t := ablation{}
	at := map[string]int{}
	for _, c := range cells {
		t.Keys = c.keys
		group := strings.Join(c.values, "\x00")
		i, ok := at[group]
		if !ok {
			i = len(t.Rows)
			at[group] = i
			t.Rows = append(t.Rows, ablationRow{Values: c.values, Scores: map[string][]eval.Value{}})
		}
		for _, r := range c.rows {
			if !slices.Contains(t.Columns, r.Name) {
				t.Columns = append(t.Columns, r.Name)
			}
			t.Rows[i].Scores[r.Name] = append(t.Rows[i].Scores[r.Name], r.MIoU)
		}
	}
	return t
}

// markdown is the table of mean ± sample standard deviation, in percent.
func (t ablation) markdown() string {
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
