package main

import (
	"context"
	"fmt"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
)

func runTable(ctx context.Context, args []string) error {
	f := newFlags("table").withConfig()
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
