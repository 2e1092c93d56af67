package main

import (
	"context"
	"fmt"

	"wsss/cmd/pipeline"
	"wsss/eval/report"
)

func runReview(ctx context.Context, args []string) error {
	f := newFlags("review").withConfig()
	port := f.Int("port", 0, "`port` of 127.0.0.1; 0 = any that is free")
	split := f.String("split", "", "review this `split` instead of data.train_split")
	counts := f.String("simulate", "", "instead of serving: correct so many images from the true masks, by gain and at random, and train again; a `list` such as 20,50")
	seeds := f.Int("seeds", 3, "with -simulate: so many `seeds`, from the config's on")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *counts != "" {
		return simulate(ctx, f, *counts, *seeds)
	}
	if *port < 0 || *port > 65535 {
		return pipeline.Usagef("review: -port %d: allowed are 0..65535", *port)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return p.Review(ctx, *split, *port)
}

// simulate prints what correcting led to.
func simulate(ctx context.Context, f *flags, text string, seeds int) error {
	counts, err := pipeline.ParseCounts(text)
	if err != nil {
		return err
	}
	base, err := f.load()
	if err != nil {
		return err
	}
	s := pipeline.Simulation{Base: base, Options: f.options(), Counts: counts, Seeds: seeds}
	points, err := s.Run(ctx)
	if err != nil {
		return err
	}
	report.WritePayoffs(stdout, points)
	fmt.Fprintln(stdout, "wsss report shows it")
	return nil
}
