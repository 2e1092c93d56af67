package main

import (
	"context"

	"wsss/checkpoints/files"
	"wsss/eval/report"
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
	defer p.Close()
	if err := p.AddAgainst(against); err != nil {
		return err
	}
	p.NoteStale(ctx)
	rows, err := p.Eval(ctx)
	if err != nil {
		return err
	}
	if err := p.Report(ctx, rows); err != nil {
		return err
	}
	report.WriteText(stdout, rows, inReport)
	p.Say("report: %s", files.Address(p.Path(report.HTMLName)))
	return nil
}
