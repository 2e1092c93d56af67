package main

import (
	"context"
	"fmt"
	"time"

	"wsss/data"
	"wsss/eval"
	"wsss/eval/report"
	"wsss/gen"
)

func init() {
	register(command{name: "run", short: "the whole pipeline from one config: gen, train, eval, report", run: runAll})
}

const runIntro = `
wsss run does everything that a config describes: pseudo-labels, training,
scores and the HTML report. What is done already is skipped, so after a crash,
a Ctrl-C or a change of one key the same command does only the rest.

  wsss run -config configs/demo.toml
  wsss run -config my.toml -dry-run            check it and show the plan
  wsss run -config my.toml -set gen.weak=points -set out=runs/points`

func runAll(ctx context.Context, args []string) error {
	f := newFlags("run", runIntro).withConfig()
	dry := f.Bool("dry-run", false, "check the config and the data, print the plan, do nothing")
	restart := f.Bool("restart", false, "replace trainings of another config or of other labels")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *dry {
		return dryRun(f)
	}
	start := time.Now()
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	p.restart = *restart
	rows, err := p.all(ctx)
	if err != nil {
		return err
	}
	printRows(rows)
	p.summary(rows)
	p.say("%s took %s", p.cfg.Name, time.Since(start).Round(time.Second))
	return nil
}

// all runs every stage.
func (p *pipeline) all(ctx context.Context) ([]report.Row, error) {
	if err := checkStart(p.cfg.Train); err != nil {
		return nil, err
	}
	if dir, ok := p.trainLabels(); ok && dir == p.labelsDir() {
		if err := p.gen(ctx, genOptions{}); err != nil {
			return nil, err
		}
	}
	if err := p.compare(ctx, genOptions{}); err != nil {
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

// summary prints the three numbers that a weakly supervised method is judged
// by, and their ratio.
func (p *pipeline) summary(rows []report.Row) {
	score := map[eval.Kind]eval.Value{}
	for _, r := range rows {
		if _, seen := score[r.Kind]; !seen {
			score[r.Kind] = r.MIoU
		}
	}
	line := func(title string, kind eval.Kind) {
		if v, ok := score[kind]; ok {
			fmt.Printf("%-52s %5s\n", title, v.Percent())
		}
	}
	fmt.Println()
	line("pseudo-label mIoU ("+p.cfg.Data.TrainSplit+")", eval.KindPseudo)
	line("network trained on pseudo-labels, mIoU ("+p.cfg.Data.ValSplit+")", eval.KindNetwork)
	line("same network trained on true masks, mIoU ("+p.cfg.Data.ValSplit+")", eval.KindBound)
	if net, bound := score[eval.KindNetwork], score[eval.KindBound]; net.Valid() && bound.Valid() && bound > 0 {
		fmt.Printf("%-52s %5.1f %%\n", "of full supervision", 100*float64(net)/float64(bound))
	}
	fmt.Printf("report: %s\n", p.path("report.html"))
}

// dryRun checks everything that can be checked without working, and prints
// what the run would do.
func dryRun(f *flags) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	spec, err := gen.Lookup(cfg.Gen.Method)
	if err != nil {
		return usageError{err}
	}
	if err := checkStart(cfg.Train); err != nil {
		return err
	}
	p := &pipeline{cfg: cfg, quiet: f.quiet}
	fmt.Printf("%s\n\ndata    %s at %s: labels for %s, scores on %s\n", cfg.Name, cfg.Data.Kind, cfg.Data.Root, cfg.Data.TrainSplit, cfg.Data.ValSplit)
	p.planData()
	if dir, ok := p.trainLabels(); ok && dir == p.labelsDir() {
		fmt.Printf("gen     %s from %s, fused by %s → %s\n        %s\n", cfg.Gen.Method, cfg.Gen.Weak, cfg.Gen.Fuse.Rule, dir, spec.Doc)
	}
	for _, c := range cfg.Compare {
		fmt.Printf("compare %s: %s from %s, fused by %s → %s\n", c.Name, c.Method, c.Weak, c.Fuse.Rule, p.compareDir(c))
	}
	t := cfg.Train
	for _, net := range p.networks() {
		fmt.Printf("train   %s: %s %s (output stride %d), %d iterations of batch %d×%d, crop %d, lr %g → %s\n",
			net, t.Arch, t.Backbone, t.OutputStride, t.Iterations, t.Batch, t.Accumulate, t.Crop, t.LR, p.path("train", net))
		if t.Init != "" {
			fmt.Printf("        starts from %s%s\n", t.Init, missing(t.Init))
		}
	}
	fmt.Printf("eval    scales %v, flip %v", cfg.Eval.Scales, cfg.Eval.Flip)
	for _, z := range cfg.Eval.ZeroShot {
		fmt.Printf("; zero-shot %s = %s", z.Name, z.Method)
	}
	for _, a := range cfg.Eval.Against {
		fmt.Printf("; against %s = %s%s", a.Name, a.Dir, missing(a.Dir))
	}
	fmt.Printf("\nreport  %s\n", p.path("report.html"))
	return nil
}

// planData counts the images where the data is there; generated data is not
// generated for a plan.
func (p *pipeline) planData() {
	if p.cfg.Data.Kind == "scenes" {
		fmt.Println("        generated on the first run, from the seed")
		return
	}
	ds, err := data.Open(p.cfg.Data.Kind, data.Options{Root: p.cfg.Data.Root, Seed: p.cfg.Seed, Extra: p.cfg.Data.Options})
	if err != nil {
		fmt.Printf("        not ready: %v\n", err)
		return
	}
	fmt.Printf("        %d classes", ds.Classes().Len())
	for _, split := range []string{p.cfg.Data.TrainSplit, p.cfg.Data.ValSplit} {
		if ids, err := ds.IDs(split); err != nil {
			fmt.Printf(", %s: %v", split, err)
		} else {
			fmt.Printf(", %d images in %s", len(ids), split)
		}
	}
	fmt.Println()
}

func missing(path string) string {
	if exists(path) {
		return ""
	}
	return " (missing)"
}
