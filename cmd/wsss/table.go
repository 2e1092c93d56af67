package main

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
	"wsss/eval"
	"wsss/eval/published"
	"wsss/eval/report"
	"wsss/gen"
)

func init() {
	register(command{name: "table", short: "pseudo-labels of many methods side by side with published numbers", run: runTable})
}

const tableIntro = `
wsss table makes and scores the pseudo-labels of every [[compare]] row of a
config, for several seeds, and sets them beside the numbers of the papers that
the rows name (published = "jiang2023 1 12"). Where a row says which others
papers have below it (over = ["points"]), the table says whether that holds.
Generated scenes get other pictures with every seed. Nothing is trained; rows
that need a file which is not there are left out. What is done already is
skipped, so a killed table goes on.

  wsss table -config configs/tables/scenes_methods.toml
  wsss table -config configs/tables/scenes_methods.toml -seeds 1 -only points

Writes OUT/table.md, table.json and table.html, and below OUT/seed-N a report
with pictures of each seed.`

func runTable(ctx context.Context, args []string) error {
	f := newFlags("table", tableIntro).withConfig()
	seeds := f.String("seeds", "", "seeds as `1,2,5` or 1..3; default is the config's seed")
	only := f.String("only", "", "only rows whose name contains `TEXT`")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	base, err := f.load()
	if err != nil {
		return err
	}
	t, err := newTable(base, *seeds, *only, f.options())
	if err != nil {
		return usageError{err}
	}
	held, err := hold(t.cfg.Out)
	if err != nil {
		return err
	}
	defer held.Release()
	for i, seed := range t.Seeds {
		fmt.Fprintf(stderr, "seed %d (%d of %d)\n", seed, i+1, len(t.Seeds))
		if err := t.run(ctx, seed, f.options()); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	t.compare()
	if err := report.WriteMethods(t.cfg.Out, t.Methods); err != nil {
		return err
	}
	fmt.Fprint(stdout, t.Markdown())
	fmt.Fprintf(stdout, "\n%s\n", filepath.Join(t.cfg.Out, "table.html"))
	return nil
}

// table is a config's [[compare]] rows as they fill up.
type table struct {
	report.Methods
	cfg configs.Config
	eng compute.Backend // shared by all seeds
}

func newTable(cfg configs.Config, seeds, only string, o options) (*table, error) {
	t := &table{cfg: cfg}
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
	t.cfg.Compare = nil
	for i, c := range cfg.Compare {
		row := report.MethodRow{Name: c.Name, Method: c.Method, Weak: c.Weak}
		if c.Published != "" {
			p, ok := published.ByName(c.Published)
			s, has := p.Scores[published.VOCPseudo]
			if !ok || !has {
				return nil, fmt.Errorf("compare[%d].published = %q: allowed are rows of eval/published/published.csv with a number for VOC pseudo-labels, such as \"jiang2023 1 12\"", i, c.Published)
			}
			row.Published, row.Doubt, row.Source = s.Percent, s.Doubt, p.Name()
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
			o.alert("left out: %s needs %s", c.Name, strings.Join(lacks, ", "))
		} else {
			t.cfg.Compare, t.Rows = append(t.cfg.Compare, c), append(t.Rows, row)
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
func (t *table) seeded(seed int64) configs.Config {
	cfg, name := t.cfg, fmt.Sprint("seed-", seed)
	cfg.Seed, cfg.Out = seed, filepath.Join(t.cfg.Out, name)
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

// run makes and scores the labels of all rows.
func (t *table) run(ctx context.Context, seed int64, o options) error {
	p, err := newPipeline(t.seeded(seed), o)
	if err != nil {
		return err
	}
	p.eng = t.eng
	if err := p.compare(ctx, genOptions{}); err != nil {
		return err
	}
	t.eng = p.eng
	var rows []report.Row
	for i, c := range p.cfg.Compare {
		dir := p.compareDir(c)
		r, err := eval.Folder(ctx, p.ds, cmp.Or(c.Split, p.cfg.Data.TrainSplit), dir, eval.Options{
			Name: c.Name, Kind: eval.KindPseudo, Workers: p.cfg.Eval.Workers, Provenance: p.provenance(nil), Settings: methodSettings(c.Gen(0)),
		}, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		t.Rows[i].MIoU = append(t.Rows[i].MIoU, r.MIoU)
		t.speed(i, dir, p.rowHash(c))
		t.Note = fmt.Sprintf("Pseudo-label mIoU on %s, %d images per seed, %d seeds; papers' numbers are of VOC 2012 train.", p.ds.Name(), r.Images, len(t.Seeds))
		rows = append(rows, report.Row{Result: r, Labels: dir})
	}
	return p.report(ctx, rows)
}

// speed sets the row's images per second and the share of each stage, those of
// the seed that was run last.
func (t *table) speed(i int, dir, hash string) {
	times := gen.TimesOf(eval.StageSeconds(dir, hash))
	t.Rows[i].PerSecond, t.Rows[i].Shares, t.Stages = eval.Speed(dir, hash), nil, nil
	for _, s := range times.Stages() {
		t.Stages = append(t.Stages, s.Name+" %")
		t.Rows[i].Shares = append(t.Rows[i].Shares, s.Time.Seconds()/max(times.Total().Seconds(), 1e-9))
	}
}

// rowHash identifies the labels of a [[compare]] row.
func (p *pipeline) rowHash(c configs.Compare) string {
	cfg := p.cfg
	cfg.Gen = c.Gen(p.cfg.Gen.Workers)
	return cfg.GenHash()
}

// compare says which of the expected orders hold.
func (t *table) compare() {
	for i, c := range t.cfg.Compare {
		for _, name := range c.Over {
			k := slices.IndexFunc(t.Rows, func(r report.MethodRow) bool { return r.Name == name })
			if k < 0 {
				continue // left out by -only
			}
			o := report.Order{Above: c.Name, Below: name}
			for s, v := range t.Rows[i].MIoU {
				o.Deltas = append(o.Deltas, float64(v-t.Rows[k].MIoU[s]))
			}
			t.Orders = append(t.Orders, o)
		}
	}
}
