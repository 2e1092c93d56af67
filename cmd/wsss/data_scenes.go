package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/data/scenes"
)

func runScenes(ctx context.Context, args []string) error {
	f := newFlags("data scenes")
	cfg := scenes.DefaultConfig()
	out := f.String("out", "", "`folder` to write; new, empty, or of an earlier run")
	f.IntVar(&cfg.Train, "train", cfg.Train, "`pictures` of the train split")
	f.IntVar(&cfg.Val, "val", cfg.Val, "`pictures` of the val split")
	f.IntVar(&cfg.MinSize, "min-size", cfg.MinSize, "shortest side in `pixels`")
	f.IntVar(&cfg.MaxSize, "max-size", cfg.MaxSize, "longest side in `pixels`")
	f.IntVar(&cfg.Classes, "classes", cfg.Classes, "`number` of object classes, 2 to 10")
	f.Int64Var(&cfg.Seed, "seed", cfg.Seed, "`seed` of everything random")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *out == "" {
		return pipeline.Usagef("data scenes: -out is missing: name the folder to write")
	}
	err := f.show("scenes", func(progress func(done, total int)) error { return scenes.Write(ctx, *out, cfg, progress) })
	if bad := (*scenes.RangeError)(nil); errors.As(err, &bad) {
		return pipeline.Usagef("data scenes: -%s %d: allowed are %d..%d", strings.ReplaceAll(bad.Key, "_", "-"), bad.Value, bad.Least, bad.Most)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d + %d pictures in %s\n", cfg.Train, cfg.Val, *out)
	return nil
}
