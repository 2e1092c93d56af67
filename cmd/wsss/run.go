package main

import (
	"context"
	"fmt"
	"time"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/eval/report"
)

func runAll(ctx context.Context, args []string) error {
	f := newFlags("run").withConfig()
	dry := f.Bool("dry-run", false, "check the config, print the plan and what it lacks (data, weights), do nothing")
	restart := f.Bool("restart", false, "replace trainings of another config or of another folder of labels")
	keep := f.Bool("keep-going", false, "label and train on what can be; list the images that failed at the end, with exit code 1")
	if err := f.parse(args, 1<<10); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0 && f.config != "":
		return pipeline.Usagef("run: -config %s and %s: give one config by -config, or several without it to -dry-run", f.config, f.Arg(0))
	case f.NArg() > 0 && !*dry:
		return pipeline.Usagef("run: unexpected argument %q: a run takes one config, by -config; -dry-run takes several", f.Arg(0))
	case f.NArg() > 0:
		return pipeline.PlanMany(f.Args(), f.set, stdout)
	}
	links, err := f.chain()
	if err != nil {
		return err
	}
	if *dry {
		return pipeline.DryRun(links, stdout, f.options())
	}
	start, o := time.Now(), f.options()
	o.Restart, o.KeepGoing = *restart, *keep
	return pipeline.RunChain(ctx, links, o, func(p *pipeline.Run, rows []report.Row) {
		if len(rows) > 0 && report.WriteText(stdout, rows, pipeline.InReport) {
			report.WriteSummary(stdout, rows, p.Config.Data.TrainSplit, p.Config.Data.ValSplit)
		}
		if page := p.Path(report.HTMLName); files.Exists(page) {
			fmt.Fprintf(stdout, "report: %s\n", files.Address(page))
		}
		p.Say("%s took %s", p.Config.Name, time.Since(start).Round(time.Second))
	})
}
