package pipeline

import (
	"context"

	"wsss/eval/report"
)

// All runs every stage.
func (p *Run) All(ctx context.Context) ([]report.Row, error) {
	whole := Parts{Gen: true, Train: true, Eval: true}
	if err := p.Preflight(whole); err != nil {
		return nil, err
	}
	if err := p.CheckTruth(""); err != nil {
		return nil, err
	}
	if needs, err := p.needsEngine((&Plan{Run: p}).of(whole)); err != nil {
		return nil, err
	} else if needs {
		if _, err := p.OpenBackend(); err != nil {
			return nil, err
		}
	}
	o := GenOptions{KeepGoing: p.KeepGoing}
	if p.labels() {
		if err := p.goOn(p.Gen(ctx, o)); err != nil {
			return nil, err
		}
	}
	if err := p.goOn(p.Compare(ctx, o)); err != nil {
		return nil, err
	}
	if err := p.TrainAll(ctx, p.Networks()); err != nil {
		return nil, err
	}
	rows, err := p.Eval(ctx)
	if err != nil {
		return nil, err
	}
	return rows, p.Report(ctx, rows)
}
