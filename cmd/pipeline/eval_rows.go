package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/eval"
	"wsss/eval/report"
)

// Source is where rows of the table come from.
type Source struct {
	names    []string // of its rows; a network has one per test-time choice
	predicts bool     // it can label splits without true masks, too
	score    func(ctx context.Context) ([]report.Row, error)
}

// oneRow is a source of a single row, which may come out empty.
func oneRow(name string, predicts bool, score func(ctx context.Context) (report.Row, error)) Source {
	return Source{[]string{name}, predicts, func(ctx context.Context) ([]report.Row, error) {
		r, err := score(ctx)
		return []report.Row{r}, err
	}}
}

// Eval scores everything that the run has made.
func (p *Run) Eval(ctx context.Context) ([]report.Row, error) { return p.Score(ctx, p.Sources()) }

// wants tells whether the row of a name was asked for.
func (p *Run) wants(name string) bool { return p.Only == "" || p.Only == name }

// Score makes the rows of sources, in their order.
func (p *Run) Score(ctx context.Context, sources []Source) ([]report.Row, error) {
	if err := p.checkNames(sources); err != nil {
		return nil, err
	}
	var rows []report.Row
	for _, s := range sources {
		if !slices.ContainsFunc(s.names, p.wants) {
			continue
		}
		more, err := s.score(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, slices.DeleteFunc(more, func(r report.Row) bool { return r.Result == nil })...)
	}
	if len(rows) == 0 && p.Shard.Count == 0 {
		return nil, fmt.Errorf("nothing to score: %s", strings.Join(p.skipped, "; "))
	}
	return rows, nil
}

// skip leaves a row out and says why.
func (p *Run) skip(row, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	p.Say("%-28s skipped: %s", row, why)
	if !slices.Contains(p.skipped, why) {
		p.skipped = append(p.skipped, why)
	}
}

// checkNames refuses rows that would share files, and an -only that none has.
func (p *Run) checkNames(sources []Source) error {
	var names []string
	files := map[string]string{}
	for _, s := range sources {
		for _, n := range s.names {
			if other, taken := files[FileName(n)]; taken {
				return Usagef("the rows %q and %q would share the file %s of results: rename one", other, n, FileName(n)+".json")
			}
			files[FileName(n)] = n
			names = append(names, n)
		}
	}
	if !slices.ContainsFunc(names, p.wants) {
		return Usagef("-only %s: the rows are %s", p.Only, strings.Join(names, "; "))
	}
	return nil
}

// Sources are all rows of a run, in the order of the table.
func (p *Run) Sources() []Source {
	var list []Source
	if dir, ok := p.trainLabels(); ok {
		list = append(list, oneRow("pseudo-labels", false, func(ctx context.Context) (report.Row, error) { return p.evalPseudo(ctx, dir) }))
	}
	for _, c := range p.Config.Compare {
		list = append(list, p.compareSource(c))
	}
	for _, net := range p.Networks() {
		kind := eval.KindNetwork
		if net == NetBound {
			kind = eval.KindBound
		}
		s := p.networkSource(NetTitle(net), p.Path("train", net), kind, "")
		score := s.score
		s.score = func(ctx context.Context) ([]report.Row, error) {
			dir := p.Path("train", net)
			if entries, err := checkpoints.List(dir); err == nil && len(entries) == 0 {
				p.skip(NetTitle(net), "there is no checkpoint in %s yet; `wsss train` makes them", dir)
				return nil, nil
			}
			return score(ctx)
		}
		list = append(list, s)
	}
	for _, n := range p.Config.Eval.Network {
		kind := eval.KindNetwork
		if n.Bound {
			kind = eval.KindBound
		}
		list = append(list, p.networkSource(n.Name, n.Checkpoint, kind, n.Published))
	}
	for _, z := range p.Config.Eval.ZeroShot {
		list = append(list, oneRow(z.Name, true, func(ctx context.Context) (report.Row, error) { return p.evalZeroShot(ctx, z) }))
	}
	for _, o := range p.Config.Eval.ONNX {
		list = append(list, oneRow(o.Name, true, func(ctx context.Context) (report.Row, error) { return p.evalONNX(ctx, o) }))
	}
	for i, r := range p.Config.Eval.Rows {
		list = append(list, oneRow(r.Name, true, func(ctx context.Context) (report.Row, error) { return p.evalRow(ctx, i, r) }))
	}
	return append(list, p.againstSources()...)
}

// compareSource is a [[compare]] row, left out where its labels are not made.
func (p *Run) compareSource(c configs.Compare) Source {
	return oneRow(c.Name, false, func(ctx context.Context) (report.Row, error) {
		if err := checkGenerated(p.compareDir(c)); err != nil {
			p.skip(c.Name, "%v", err)
			return report.Row{}, nil
		}
		split, dir := cmp.Or(c.Split, p.Config.Data.TrainSplit), p.compareDir(c)
		ids, err := p.made(split, dir, c.Gen(0))
		if err != nil {
			return report.Row{}, err
		}
		return p.evalFolder(ctx, labelled{c.Name, dir, split, eval.KindPseudo, p.rowHash(c), methodSettings(c.Gen(0)), ids})
	})
}

// againstSources are other tools' folders.
func (p *Run) againstSources() []Source {
	var list []Source
	for _, a := range p.Config.Eval.Against {
		f := labelled{name: a.Name, dir: a.Dir, split: cmp.Or(a.Split, p.Config.Data.TrainSplit), kind: eval.KindAgainst}
		list = append(list, p.folderSource(f, a.Published))
	}
	return list
}

func (p *Run) folderSource(f labelled, published string) Source {
	return oneRow(f.name, false, func(ctx context.Context) (report.Row, error) {
		row, err := p.evalFolder(ctx, f)
		row.Published = published
		return row, err
	})
}

// networkSource is a trained network; published is the paper's row that its
// first row is.
func (p *Run) networkSource(name, checkpoint string, kind eval.Kind, published string) Source {
	return Source{p.testTimeTitles(name), true, func(ctx context.Context) ([]report.Row, error) {
		rows, err := p.evalNetwork(ctx, name, checkpoint, kind)
		if len(rows) > 0 && rows[0].Name == name {
			rows[0].Published = published
		}
		return rows, err
	}}
}
