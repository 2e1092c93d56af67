package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"wsss/checkpoints/files"
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
  wsss run -config my.toml -set gen.weak=points -set out=runs/points`

func runAll(ctx context.Context, args []string) error {
	f := newFlags("run", runIntro).withConfig()
	dry := f.Bool("dry-run", false, "check the config, print the plan and what it lacks (data, weights), do nothing")
	restart := f.Bool("restart", false, "replace trainings of another config or of another folder of labels")
	keep := f.Bool("keep-going", false, "label and train on what can be; list the images that failed at the end, with exit code 1")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *dry {
		return dryRun(f, stdout)
	}
	links, err := f.chain()
	if err != nil {
		return err
	}
	start, o := time.Now(), f.options()
	o.restart, o.keepGoing = *restart, *keep
	if len(links) > 1 { // before days of work
		lacks, err := planChain(links, io.Discard, o)
		if err != nil {
			return err
		}
		if len(lacks) > 0 {
			return missingError{lacks: lacks}
		}
		if err := makeNeeds(ctx, links, o); err != nil {
			return err
		}
	}
	last := links[len(links)-1]
	p, err := openLink(last, o)
	if err != nil {
		return err
	}
	defer p.close()
	if err := checkFree(p.cfg, p.networks()...); err != nil {
		return err
	}
	rows, err := p.link(ctx, last)
	if err != nil {
		return err
	}
	if len(rows) > 0 && printRows(rows, inReport) {
		p.summary(rows)
	}
	if page := p.path(report.HTMLName); files.Exists(page) {
		fmt.Fprintf(stdout, "report: %s\n", page)
	}
	p.say("%s took %s", p.cfg.Name, time.Since(start).Round(time.Second))
	return errors.Join(p.failed...)
}

// all runs every stage.
func (p *pipeline) all(ctx context.Context) ([]report.Row, error) {
	whole := parts{gen: true, train: true, eval: true}
	if err := p.preflight(whole); err != nil {
		return nil, err
	}
	if err := p.checkTruth(""); err != nil {
		return nil, err
	}
	if needs, err := p.needsEngine((&plan{pipeline: p}).of(whole)); err != nil {
		return nil, err
	} else if needs {
		if _, err := p.backend(); err != nil {
			return nil, err
		}
	}
	o := genOptions{keepGoing: p.keepGoing}
	if p.labels() {
		if err := p.goOn(p.gen(ctx, o)); err != nil {
			return nil, err
		}
	}
	if err := p.goOn(p.compare(ctx, o)); err != nil {
		return nil, err
	}
	if err := p.trainAll(ctx, p.networks()); err != nil {
		return nil, err
	}
	rows, err := p.eval(ctx)
	if err != nil {
		return nil, err
	}
	return rows, p.report(ctx, rows)
}

// summary prints those of the three numbers that a weakly supervised method is
// judged by that are there, and their ratio.
func (p *pipeline) summary(rows []report.Row) {
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
	line("pseudo-label mIoU ("+p.cfg.Data.TrainSplit+")", eval.KindPseudo)
	line("network trained on pseudo-labels, mIoU ("+p.cfg.Data.ValSplit+")", eval.KindNetwork)
	line("same network trained on true masks, mIoU ("+p.cfg.Data.ValSplit+")", eval.KindBound)
	if net, bound := score(eval.KindNetwork), score(eval.KindBound); net.Valid() && bound.Valid() && bound > 0 {
		fmt.Fprintf(stdout, "%-52s %5.1f %%\n", "of full supervision", 100*float64(net)/float64(bound))
	}
}
