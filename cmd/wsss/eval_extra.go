package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

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

// submit packs a folder of label maps for the VOC evaluation server.
func (p *pipeline) submit(ctx context.Context, labels, out string) error {
	if labels == "" {
		return usagef("eval: -submission packs label PNGs: name their folder with -labels")
	}
	var info *eval.SubmissionInfo
	err := p.stage(ctx, "check label maps", func(progress func(done, total int)) (err error) {
		info, err = eval.WriteSubmission(ctx, p.ds, p.cfg.Data.ValSplit, labels, out, eval.Submission{Workers: p.cfg.Eval.Workers}, progress)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d label maps in %s, SHA-256 %s\n", info.Path, info.Images, info.Folder, info.SHA256)
	return nil
}

// one makes the only row of a table; a split without masks has none.
func one(r report.Row, err error) ([]report.Row, error) {
	if err == nil && r.Result == nil {
		err = errors.New("the split has no true masks to score against")
	}
	return []report.Row{r}, err
}

// withQuality adds what is known of our own labels without true masks, and the
// scores of the detector that led to them; where there are no true masks the
// row has no scores, only pictures.
func (p *pipeline) withQuality(ctx context.Context, row report.Row, dir string) (report.Row, error) {
	split := p.cfg.Data.TrainSplit
	ids, err := p.ds.IDs(split)
	if err != nil {
		return row, err
	}
	q, err := gen.Quality(ctx, dir, gen.QualityOptions{IDs: ids, Workers: p.cfg.Eval.Workers})
	if err != nil {
		return row, err
	}
	if row.Result == nil {
		row = report.Row{Result: eval.Unscored(p.ds, split, "pseudo-labels", eval.KindPseudo, len(ids)), Labels: dir, Shown: ids}
	}
	row.Quality = q.Scores()
	detector, err := detect.FromSidecars(ctx, p.ds, ids, dir, p.cfg.Eval.Workers)
	if err != nil || detector == nil {
		return row, err
	}
	row.Extra = detector.Extra()
	return row, p.saveResult(row.Name, row.Result)
}
