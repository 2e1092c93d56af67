package main

import (
	"context"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/eval/report"
	"wsss/train"
)

func init() {
	register(command{name: "report", short: "one HTML page with scores, pictures, curves and provenance", run: runReport})
}

const reportIntro = `
wsss report scores what a run has made (predictions that are there already are
taken up) and writes OUT/report.html, a page that opens from disk without a
network, with report.md and report.json beside it.

  wsss report -config my.toml
  wsss report -config my.toml -set eval.overlays=0     every image in the gallery`

func runReport(ctx context.Context, args []string) error {
	f := newFlags("report", reportIntro).withConfig()
	var against list
	f.Var(&against, "against", "also score `NAME=FOLDER` on the validation split; may be repeated")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	p, err := openAlone(f)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.addAgainst(against); err != nil {
		return err
	}
	p.noteStale(ctx)
	rows, err := p.eval(ctx)
	if err != nil {
		return err
	}
	if err := p.report(ctx, rows); err != nil {
		return err
	}
	printRows(rows, inReport)
	p.say("report: %s", p.path(report.HTMLName))
	return nil
}

// report writes the page of a run's rows.
func (p *pipeline) report(ctx context.Context, rows []report.Row) error {
	r := report.Report{
		Title: p.cfg.Name, Rows: rows, Dataset: p.ds, Config: p.cfg.TOML(), From: p.provenance(nil),
		Overlays: p.cfg.Eval.Overlays, Workers: p.cfg.Eval.Workers,
		HourlyPrice: p.cfg.Eval.HourlyPrice, Published: p.cfg.Eval.Published,
		Warn: func(line string) { p.alert("%s", line) },
	}
	for _, net := range p.networks() {
		if log := p.path("train", net, train.LogFile); files.Exists(log) {
			r.Curves = append(r.Curves, report.Curve{Name: netTitle(net), Log: log})
		}
	}
	for _, path := range p.classifierResults() {
		if !files.Exists(path) {
			continue
		}
		c, err := report.ReadClassifiers(path)
		if err != nil {
			return err
		}
		r.Classifiers = c
		break
	}
	return p.stage(ctx, "report", func(progress func(done, total int)) error {
		return report.Write(ctx, p.cfg.Out, r, progress)
	})
}

// classifierResults are where the numbers of the classifier of image labels may
// be: of this run's fine-tuning, or beside the classifier that gen used.
func (p *pipeline) classifierResults() []string {
	paths := []string{p.path("finetune", resultFile)}
	if path, ok := p.cfg.Gen.Options["classifier"].(string); ok {
		paths = append(paths, filepath.Join(filepath.Dir(path), resultFile))
	}
	return paths
}
