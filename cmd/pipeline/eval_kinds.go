package pipeline

import (
	"context"
	"fmt"
	"io"

	"github.com/gomlx/compute"

	"wsss/configs"
	"wsss/eval"
	"wsss/eval/report"
)

// rowSection names the options of a row of a registered kind in errors.
func rowSection(i int) string { return fmt.Sprintf("eval.row[%d].options", i) }

// checkRows refuses options of rows that their kinds do not take.
func checkRows(rows []configs.Row) error {
	for i, r := range rows {
		kind, err := eval.FindRow(fmt.Sprintf("eval.row[%d].kind", i), r.Kind)
		if err == nil && kind.Check != nil {
			err = kind.Check(rowSection(i), r.Options)
		}
		if err != nil {
			return UsageError{Err: err}
		}
	}
	return nil
}

// evalRow scores a row of a registered kind.
func (p *Run) evalRow(ctx context.Context, i int, r configs.Row) (report.Row, error) {
	kind, err := eval.FindRow(fmt.Sprintf("eval.row[%d].kind", i), r.Kind)
	if err != nil {
		return report.Row{}, err
	}
	var b compute.Backend
	if kind.NeedsBackend {
		if b, err = p.OpenBackend(); err != nil {
			return report.Row{}, err
		}
	}
	predictor, err := kind.Open(eval.RowEnv{Section: rowSection(i), Options: r.Options, Dataset: p.Dataset, Backend: b})
	if err != nil {
		return report.Row{}, fmt.Errorf("eval.row %q: %w", r.Name, err)
	}
	if c, ok := predictor.(io.Closer); ok {
		defer c.Close() //nolint:errcheck // memory only
	}
	sum := ""
	if h, ok := predictor.(interface{ Hash() (string, error) }); ok {
		if sum, err = h.Hash(); err != nil {
			return report.Row{}, err
		}
	}
	row, err := p.predictRow(ctx, p.Config.Data.ValSplit, predictor, nil, eval.Options{
		Name: r.Name, Kind: eval.KindNetwork, RunHash: sum + fmt.Sprintf("%s %v", r.Kind, r.Options),
		Settings: map[string]string{report.MadeBy: r.Kind}, Provenance: p.provenance(nil),
	})
	row.Published = r.Published
	return row, err
}
