package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wsss/cmd/pipeline"
	"wsss/configs"
)

func runAblate(ctx context.Context, args []string) error {
	f := newFlags("ablate").withConfig()
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
	grid, err := pipeline.ParseGrid(vary)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	cells, err := pipeline.GridCells(func(set ...string) (configs.Config, error) {
		cfg, err := configs.Load(f.config, append(slices.Clone(f.set), set...))
		return cfg, errors.Join(err, f.chooseBackend(&cfg))
	}, base, grid)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	if *dry {
		for _, c := range cells {
			fmt.Fprintln(stdout, c.Name)
		}
		return nil
	}
	table, err := pipeline.Ablate(ctx, base, cells, f.options(), func(i int) {
		fmt.Fprintf(stderr, "[%d/%d] %s\n", i+1, len(cells), cells[i].Name)
	})
	if err == nil {
		fmt.Fprint(stdout, table.Markdown())
	}
	return err
}
