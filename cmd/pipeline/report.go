package pipeline

import (
	"context"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/eval/report"
	"wsss/train"
)

// Report writes the page of a run's rows.
func (p *Run) Report(ctx context.Context, rows []report.Row) error {
	r := report.Report{
		Title: p.Config.Name, Rows: rows, Dataset: p.Dataset, Config: configText(p.Config), From: p.provenance(nil),
		Overlays: p.Config.Eval.Overlays, Workers: p.Config.Eval.Workers,
		HourlyPrice: p.Config.Eval.HourlyPrice, Published: p.Config.Eval.Published,
		Weak: data.WeakKind(p.Config.Gen.Weak),
		Warn: func(line string) { p.Alert("%s", line) }, Census: p.census(ctx), Again: p.madeAgain(),
	}
	for _, net := range p.Networks() {
		if log := p.Path("train", net, train.LogFile); files.Exists(log) {
			r.Curves = append(r.Curves, report.Curve{Name: NetTitle(net), Log: log, Speed: p.Path("train", net, speedLog)})
		}
	}
	var err error
	if r.Payoffs, err = report.ReadPayoffs(p.Config.Out); err != nil {
		return err
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
	return p.Step(ctx, "report", func(progress func(done, total int)) error {
		return report.Write(ctx, p.Config.Out, r, progress)
	})
}

// classifierResults are where the numbers of the classifier of image labels may
// be: of this run's fine-tuning, or beside the classifier that gen used.
func (p *Run) classifierResults() []string {
	paths := []string{p.Path("finetune", resultFile)}
	if path, ok := p.Config.Gen.Options["classifier"].(string); ok {
		paths = append(paths, filepath.Join(filepath.Dir(path), resultFile))
	}
	return paths
}
