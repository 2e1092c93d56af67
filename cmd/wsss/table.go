package main

import (
	"context"
	"fmt"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
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
	t, err := pipeline.NewTable(base, *seeds, *only, f.options())
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	err = t.All(ctx, f.options(), func(i int) { fmt.Fprintf(stderr, "seed %d (%d of %d)\n", t.Seeds[i], i+1, len(t.Seeds)) })
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, t.Markdown())
	fmt.Fprintf(stdout, "\n%s\n", files.Address(filepath.Join(t.Config.Out, "table.html")))
	return nil
}
