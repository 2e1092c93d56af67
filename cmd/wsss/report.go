package main

import (
	"context"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/eval/report"
)

func runReport(ctx context.Context, args []string) error {
	f := newFlags("report").withConfig()
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
	report.WriteText(stdout, rows, pipeline.InReport)
	p.Say("report: %s", files.Address(p.Path(report.HTMLName)))
	return nil
}
