package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data/words"
	"wsss/eval"
	"wsss/eval/published"
	"wsss/eval/report"
	"wsss/gen"
)

// Table is a config's [[compare]] rows as they fill up.
type Table struct {
	report.Methods
	Config configs.Config
	eng    compute.Backend // shared by all seeds
}

// NewTable is the table of a config's [[compare]] rows whose names contain only,
// for seeds such as "1,2,5" or "1..3" ("" = the config's). Rows whose files are
// not there are left out, which o.Warn tells.
func NewTable(cfg configs.Config, seeds, only string, o Options) (*Table, error) {
	t := &Table{Config: cfg}
	t.Title, t.Seeds = cfg.Name, []int64{cfg.Seed}
	if seeds != "" {
		values, err := parseValues(seeds)
		if err != nil {
			return nil, fmt.Errorf("table: -seeds: %w", err)
		}
		t.Seeds = nil
		for _, v := range values {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("table: -seeds %s: %q is no whole number", seeds, v)
			}
			t.Seeds = append(t.Seeds, n)
		}
	}
	names := map[string]bool{}
	for _, c := range cfg.Compare {
		names[c.Name] = true
	}
	t.Config.Compare = nil
	for i, c := range cfg.Compare {
		row := report.MethodRow{Name: c.Name, Method: c.Method, Weak: c.Weak}
		if c.Published != "" {
			p, ok := published.ByName(c.Published)
			s, has := p.Scores[published.VOCPseudo]
			_, gain := p.Measure(published.Gain)
			if !ok || !has && !gain {
				return nil, fmt.Errorf("compare[%d].published = %q: allowed are rows of eval/published/published.csv with a number for VOC pseudo-labels, such as \"jiang2023 1 12\"", i, c.Published)
			}
			if has {
				row.Published, row.Doubt, row.Source = s.Percent, s.Doubt, p.Name()
			}
		}
		for _, below := range c.Over {
			if !names[below] {
				return nil, fmt.Errorf("compare[%d].over = %q: there is no row of that name", i, below)
			}
		}
		if !strings.Contains(c.Name, only) {
			continue
		}
		lacks, err := lacking(c)
		if err != nil {
			return nil, fmt.Errorf("compare[%d]: %w", i, err)
		}
		if len(lacks) > 0 {
			o.Alert("left out: %s needs %s", c.Name, strings.Join(lacks, ", "))
		} else {
			t.Config.Compare, t.Rows = append(t.Config.Compare, c), append(t.Rows, row)
		}
	}
	if len(t.Rows) == 0 {
		return nil, fmt.Errorf("table: no [[compare]] row to make: the config has %q", slices.Sorted(maps.Keys(names)))
	}
	return t, nil
}

// lacking lists the files that a row needs and that are not there.
func lacking(c configs.Compare) ([]string, error) {
	n, err := gen.NeedsOf(c.Gen(0))
	return slices.DeleteFunc(n.Files, files.Exists), err
}

// seeded is the config of one seed, with a folder of its own.
func (t *Table) seeded(seed int64) configs.Config {
	cfg, name := t.Config, fmt.Sprint("seed-", seed)
	cfg.Seed, cfg.Out = seed, filepath.Join(t.Config.Out, name)
	cfg.Name = fmt.Sprintf("%s, seed %d", cfg.Name, seed)
	if cfg.Data.Kind == "scenes" {
		cfg.Data.Root = filepath.Join(cfg.Data.Root, name)
		cfg.Data.Options = maps.Clone(cfg.Data.Options)
		if cfg.Data.Options == nil {
			cfg.Data.Options = map[string]any{}
		}
		cfg.Data.Options["seed"] = seed
	}
	return cfg
}

// Run makes and scores the labels of all rows.
func (t *Table) Run(ctx context.Context, seed int64, o Options) error {
	p, err := Open(t.seeded(seed), o)
	if err != nil {
		return err
	}
	p.Backend = t.eng
	if err := p.Compare(ctx, GenOptions{}); err != nil {
		return err
	}
	t.eng = p.Backend
	var rows []report.Row
	for i, c := range p.Config.Compare {
		dir := p.compareDir(c)
		r, err := eval.Folder(ctx, p.Dataset, cmp.Or(c.Split, p.Config.Data.TrainSplit), dir, eval.Options{
			Name: c.Name, Kind: eval.KindPseudo, Workers: p.Config.Eval.Workers, Provenance: p.provenance(nil), Settings: methodSettings(c.Gen(0)),
		}, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		t.Rows[i].MIoU = append(t.Rows[i].MIoU, r.MIoU)
		t.speed(i, dir, p.rowHash(c))
		t.Note = fmt.Sprintf("Pseudo-label mIoU on %s, %s per seed, %s; papers' numbers are of VOC 2012 train.", p.Dataset.Name(), words.Plural(r.Images, "image"), words.Plural(len(t.Seeds), "seed"))
		rows = append(rows, report.Row{Result: r, Labels: dir})
	}
	return p.Report(ctx, rows)
}

// All does all seeds and writes the table into its folder. begins is told the
// number of each seed before it is done.
func (t *Table) All(ctx context.Context, o Options, begins func(i int)) error {
	held, err := Hold(t.Config.Out)
	if err != nil {
		return err
	}
	defer held.Release()
	for i, seed := range t.Seeds {
		begins(i)
		if err := t.Run(ctx, seed, o); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	t.Compare()
	return report.WriteMethods(t.Config.Out, t.Methods)
}

// speed sets the row's images per second and the share of each stage, those of
// the seed that was run last.
func (t *Table) speed(i int, dir, hash string) {
	times := gen.TimesOf(eval.StageSeconds(dir, hash))
	t.Rows[i].PerSecond, t.Rows[i].Shares, t.Stages = eval.Speed(dir, hash), nil, nil
	for _, s := range times.Stages() {
		t.Stages = append(t.Stages, s.Name+" %")
		t.Rows[i].Shares = append(t.Rows[i].Shares, s.Time.Seconds()/max(times.Total().Seconds(), 1e-9))
	}
}

// rowHash identifies the labels of a [[compare]] row.
func (p *Run) rowHash(c configs.Compare) string {
	cfg := p.Config
	cfg.Gen = c.Gen(p.Config.Gen.Workers)
	return cfg.GenHash()
}

// Compare says which of the expected orders hold.
func (t *Table) Compare() {
	for i, c := range t.Config.Compare {
		for _, name := range c.Over {
			k := slices.IndexFunc(t.Rows, func(r report.MethodRow) bool { return r.Name == name })
			if k < 0 {
				continue // left out by -only
			}
			o := report.Order{Above: c.Name, Below: name}
			if p, ok := published.ByName(c.Published); ok {
				if v, has := p.Measure(published.Gain); has {
					o.Published, o.Source = v, p.Source()
				}
			}
			for s, v := range t.Rows[i].MIoU {
				o.Deltas = append(o.Deltas, float64(v-t.Rows[k].MIoU[s]))
			}
			t.Orders = append(t.Orders, o)
		}
	}
}
