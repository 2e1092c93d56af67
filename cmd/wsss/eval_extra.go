package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wsss/configs"
	"wsss/eval"
	"wsss/eval/detect"
	"wsss/eval/onnxseg"
	"wsss/eval/report"
	"wsss/gen"
)

// evalONNX labels the validation split with a network of the user's own and
// scores it.
func (p *pipeline) evalONNX(ctx context.Context, o configs.ONNX) (report.Row, error) {
	b, err := p.backend()
	if err != nil {
		return report.Row{}, err
	}
	net, err := onnxseg.Open(b, o, p.ds.Classes().Len())
	if err != nil {
		return report.Row{}, fmt.Errorf("eval.onnx %q: %w", o.Name, err)
	}
	defer net.Close()
	sum, err := net.Hash()
	if err != nil {
		return report.Row{}, err
	}
	return p.predictRow(ctx, p.cfg.Data.ValSplit, net, nil, eval.Options{
		Name: o.Name, Kind: eval.KindNetwork, RunHash: sum + fmt.Sprintf("%+v", o),
		Settings:   map[string]string{report.MadeBy: filepath.Base(o.Path)},
		Provenance: p.provenance(map[string]string{filepath.Base(o.Path): sum}),
	})
}

// submit labels a split with the one row that sources have, and packs its label
// maps for the VOC evaluation server. Undecided pixels become background, as
// they count in a score.
func (p *pipeline) submit(ctx context.Context, sources []source, out string) error {
	var names []string
	for _, s := range sources {
		if s.predicts {
			names = append(names, slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return !p.wants(n) })...)
		}
	}
	if len(names) != 1 {
		return usagef("eval: -submission packs the label maps of one row: name a network with -checkpoint, a row with -only (%s), or a folder with -labels", strings.Join(names, "; "))
	}
	p.unscored, p.only = true, names[0]
	rows, err := p.score(ctx, sources)
	if err != nil {
		return err
	}
	return p.pack(ctx, rows[0].Labels, out, true)
}

// pack checks a folder of label maps and packs it for the VOC evaluation server.
func (p *pipeline) pack(ctx context.Context, labels, out string, void bool) error {
	var info *eval.SubmissionInfo
	err := p.stage(ctx, "check label maps", func(progress func(done, total int)) (err error) {
		info, err = eval.WriteSubmission(ctx, p.ds, p.cfg.Data.ValSplit, labels, out, eval.Submission{Workers: p.cfg.Eval.Workers, Void: void}, progress)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out(), "%s: %d label maps in %s, SHA-256 %s\n", info.Path, info.Images, info.Folder, info.SHA256)
	return nil
}

// withQuality adds what is known of our own labels without true masks, and the
// scores of the detector that led to them; where there are no true masks the
// row has no scores, only pictures.
func (p *pipeline) withQuality(ctx context.Context, row report.Row, dir string, ids []string) (report.Row, error) {
	split := p.cfg.Data.TrainSplit
	q, err := gen.Quality(ctx, dir, gen.QualityOptions{IDs: ids, Workers: p.cfg.Eval.Workers})
	if err != nil {
		return row, err
	}
	if row.Result == nil {
		row = report.Row{Result: eval.Unscored(p.ds, split, "pseudo-labels", eval.KindPseudo, len(ids)), Labels: dir, Shown: ids}
		row.Settings, row.From, row.PerSecond = methodSettings(p.cfg.Gen), p.provenance(nil), eval.Speed(dir, p.cfg.GenHash())
	}
	row.Quality = q.Scores()
	detector, err := detect.FromSidecars(ctx, p.ds, ids, dir, p.cfg.Eval.Workers)
	if err != nil || detector == nil {
		return row, err
	}
	row.Extra = detector.Extra()
	return row, p.saveResult(row.Name, row.Result)
}
