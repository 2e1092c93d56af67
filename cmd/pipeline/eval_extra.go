package pipeline

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
func (p *Run) evalONNX(ctx context.Context, o configs.ONNX) (report.Row, error) {
	b, err := p.OpenBackend()
	if err != nil {
		return report.Row{}, err
	}
	net, err := onnxseg.Open(b, o, p.Dataset.Classes().Len())
	if err != nil {
		return report.Row{}, fmt.Errorf("eval.onnx %q: %w", o.Name, err)
	}
	defer net.Close()
	sum, err := net.Hash()
	if err != nil {
		return report.Row{}, err
	}
	return p.predictRow(ctx, p.Config.Data.ValSplit, net, nil, eval.Options{
		Name: o.Name, Kind: eval.KindNetwork, RunHash: sum + fmt.Sprintf("%+v", o),
		Settings:   map[string]string{report.MadeBy: filepath.Base(o.Path)},
		Provenance: p.provenance(map[string]string{filepath.Base(o.Path): sum}),
	})
}

// submit labels a split with the one row that sources have, and packs its label
// maps for the VOC evaluation server. Undecided pixels become background, as
// they count in a score.
func (p *Run) submit(ctx context.Context, sources []Source, out string) error {
	var names []string
	for _, s := range sources {
		if s.predicts {
			names = append(names, slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return !p.wants(n) })...)
		}
	}
	if len(names) != 1 {
		return Usagef("eval: -submission packs the label maps of one row: name a network with -checkpoint, a row with -only (%s), or a folder with -labels", strings.Join(names, "; "))
	}
	p.unscored, p.Only = true, names[0]
	rows, err := p.Score(ctx, sources)
	if err != nil {
		return err
	}
	return p.Pack(ctx, rows[0].Labels, out, true)
}

// Pack checks a folder of label maps and packs it for the VOC evaluation server.
func (p *Run) Pack(ctx context.Context, labels, out string, void bool) error {
	var info *eval.SubmissionInfo
	err := p.Step(ctx, "check label maps", func(progress func(done, total int)) (err error) {
		info, err = eval.WriteSubmission(ctx, p.Dataset, p.Config.Data.ValSplit, labels, out, eval.Submission{Workers: p.Config.Eval.Workers, Void: void}, progress)
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
func (p *Run) withQuality(ctx context.Context, row report.Row, dir string, ids []string) (report.Row, error) {
	split := p.Config.Data.TrainSplit
	q, err := gen.Quality(ctx, dir, gen.QualityOptions{IDs: ids, Workers: p.Config.Eval.Workers})
	if err != nil {
		return row, err
	}
	if row.Result == nil {
		row = report.Row{Result: eval.Unscored(p.Dataset, split, "pseudo-labels", eval.KindPseudo, len(ids)), Labels: dir, Shown: ids}
		row.Settings, row.From, row.PerSecond = methodSettings(p.Config.Gen), p.provenance(nil), eval.Speed(dir, p.Config.GenHash())
	}
	row.Quality, row.Doubts = q.Scores(), q.Doubts()
	detector, err := detect.FromSidecars(ctx, p.Dataset, ids, dir, p.Config.Eval.Workers)
	if err != nil || detector == nil {
		return row, err
	}
	row.Extra = detector.Extra()
	return row, p.saveResult(row.Name, row.Result)
}
