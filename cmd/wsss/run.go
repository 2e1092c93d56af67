package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/eval"
	"wsss/eval/report"
)

func init() {
	register(command{name: "run", short: "the whole pipeline from one config: gen, train, eval, report", run: runAll})
}

const runIntro = `
wsss run does everything that a config describes: pseudo-labels, training,
scores and the HTML report. What is done already is skipped, so after a crash,
a Ctrl-C or a change of one key the same command does only the rest. Configs that
it needs ([[needs]]), and classifiers of its own ([classifier], [finetune_clip])
that its labels read, are made first.

  wsss run -config configs/demo.toml
  wsss run -config my.toml -dry-run            check it and show the plan
  wsss run -dry-run configs/papers/*.toml      what each needs, and where it is had
  wsss run -config my.toml -set gen.weak=points -set out=runs/points`

func runAll(ctx context.Context, args []string) error {
	f := newFlags("run", runIntro).withConfig()
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
	case *dry:
		return dryRun(f, stdout)
	}
	links, err := f.chain()
	if err != nil {
		return err
	}
	start, o := time.Now(), f.options()
	o.Restart, o.KeepGoing = *restart, *keep
	if len(links) > 1 { // before days of work
		lacks, err := pipeline.PlanChain(links, io.Discard, o)
		if err != nil {
			return err
		}
		if len(lacks) > 0 {
			return pipeline.MissingError{Lacks: lacks}
		}
		if err := pipeline.MakeNeeds(ctx, links, o); err != nil {
			return err
		}
	}
	last := links[len(links)-1]
	p, err := pipeline.OpenAlone(last, o)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := pipeline.CheckFree(p.Config, p.Networks()...); err != nil {
		return err
	}
	rows, err := p.Link(ctx, last)
	if err != nil {
		return err
	}
	if len(rows) > 0 && printRows(rows, inReport) {
		summary(p, rows)
	}
	if page := p.Path(report.HTMLName); files.Exists(page) {
		fmt.Fprintf(stdout, "report: %s\n", page)
	}
	p.Say("%s took %s", p.Config.Name, time.Since(start).Round(time.Second))
	return errors.Join(p.Failed...)
}

// summary prints those of the three numbers that a weakly supervised method is
// judged by that are there, and their ratio.
func summary(p *pipeline.Run, rows []report.Row) {
	score := func(kind eval.Kind) eval.Value {
		for _, r := range rows {
			if r.Kind == kind {
				return r.MIoU
			}
		}
		return eval.Value(math.NaN())
	}
	line := func(title string, kind eval.Kind) {
		if v := score(kind); v.Valid() {
			fmt.Fprintf(stdout, "%-52s %5s\n", title, v.Percent())
		}
	}
	fmt.Fprintln(stdout)
	line("pseudo-label mIoU ("+p.Config.Data.TrainSplit+")", eval.KindPseudo)
	line("network trained on pseudo-labels, mIoU ("+p.Config.Data.ValSplit+")", eval.KindNetwork)
	line("same network trained on true masks, mIoU ("+p.Config.Data.ValSplit+")", eval.KindBound)
	if net, bound := score(eval.KindNetwork), score(eval.KindBound); net.Valid() && bound.Valid() && bound > 0 {
		fmt.Fprintf(stdout, "%-52s %5.1f %%\n", "of full supervision", 100*float64(net)/float64(bound))
	}
}
