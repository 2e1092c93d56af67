package main

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

// source is where rows of the table come from.
type source struct {
	names    []string // of its rows; a network has one per test-time way
	predicts bool     // it can label splits without true masks, too
	score    func(ctx context.Context) ([]report.Row, error)
}

// oneRow is a source of a single row, which may come out empty.
func oneRow(name string, predicts bool, score func(ctx context.Context) (report.Row, error)) source {
	return source{[]string{name}, predicts, func(ctx context.Context) ([]report.Row, error) {
		r, err := score(ctx)
		return []report.Row{r}, err
	}}
}

// eval scores everything that the run has made.
func (p *pipeline) eval(ctx context.Context) ([]report.Row, error) { return p.score(ctx, p.sources()) }

// wants tells whether the row of a name was asked for.
func (p *pipeline) wants(name string) bool { return p.only == "" || p.only == name }

// score makes the rows of sources, in their order.
func (p *pipeline) score(ctx context.Context, sources []source) ([]report.Row, error) {
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
	if len(rows) == 0 {
		return nil, fmt.Errorf("nothing to score: %s", strings.Join(p.skipped, "; "))
	}
	return rows, nil
}

// skip leaves a row out and says why.
func (p *pipeline) skip(row, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	p.say("%-28s skipped: %s", row, why)
	if !slices.Contains(p.skipped, why) {
		p.skipped = append(p.skipped, why)
	}
}

// checkNames refuses rows that would share files, and an -only that none has.
func (p *pipeline) checkNames(sources []source) error {
	var names []string
	files := map[string]string{}
	for _, s := range sources {
		for _, n := range s.names {
			if other, taken := files[fileName(n)]; taken {
				return usagef("the rows %q and %q would share the file %s of results: rename one", other, n, fileName(n)+".json")
			}
			files[fileName(n)] = n
			names = append(names, n)
		}
	}
	if !slices.ContainsFunc(names, p.wants) {
		return usagef("-only %s: the rows are %s", p.only, strings.Join(names, "; "))
	}
	return nil
}

// sources are all rows of a run, in the order of the table.
func (p *pipeline) sources() []source {
	var list []source
	if dir, ok := p.trainLabels(); ok {
		list = append(list, oneRow("pseudo-labels", false, func(ctx context.Context) (report.Row, error) { return p.evalPseudo(ctx, dir) }))
	}
	for _, c := range p.cfg.Compare {
		list = append(list, p.compareSource(c))
	}
	for _, net := range p.networks() {
		kind := eval.KindNetwork
		if net == netBound {
			kind = eval.KindBound
		}
		s := p.networkSource(netTitle(net), p.path("train", net), kind, "")
		score := s.score
		s.score = func(ctx context.Context) ([]report.Row, error) {
			dir := p.path("train", net)
			if entries, err := checkpoints.List(dir); err == nil && len(entries) == 0 {
				p.skip(netTitle(net), "there is no checkpoint in %s yet; `wsss train` makes them", dir)
				return nil, nil
			}
			return score(ctx)
		}
		list = append(list, s)
	}
	for _, n := range p.cfg.Eval.Network {
		kind := eval.KindNetwork
		if n.Bound {
			kind = eval.KindBound
		}
		list = append(list, p.networkSource(n.Name, n.Checkpoint, kind, n.Published))
	}
	for _, z := range p.cfg.Eval.ZeroShot {
		list = append(list, oneRow(z.Name, true, func(ctx context.Context) (report.Row, error) { return p.evalZeroShot(ctx, z) }))
	}
	for _, o := range p.cfg.Eval.ONNX {
		list = append(list, oneRow(o.Name, true, func(ctx context.Context) (report.Row, error) { return p.evalONNX(ctx, o) }))
	}
	return append(list, p.againstSources()...)
}

// compareSource is a [[compare]] row, left out where its labels are not made.
func (p *pipeline) compareSource(c configs.Compare) source {
	return oneRow(c.Name, false, func(ctx context.Context) (report.Row, error) {
		if err := checkGenerated(p.compareDir(c)); err != nil {
			p.skip(c.Name, "%v", err)
			return report.Row{}, nil
		}
		split, dir := cmp.Or(c.Split, p.cfg.Data.TrainSplit), p.compareDir(c)
		ids, err := p.made(split, dir, c.Gen(0))
		if err != nil {
			return report.Row{}, err
		}
		return p.evalFolder(ctx, labelled{c.Name, dir, split, eval.KindPseudo, p.rowHash(c), methodSettings(c.Gen(0)), ids})
	})
}

// againstSources are other tools' folders.
func (p *pipeline) againstSources() []source {
	var list []source
	for _, a := range p.cfg.Eval.Against {
		f := labelled{name: a.Name, dir: a.Dir, split: cmp.Or(a.Split, p.cfg.Data.TrainSplit), kind: eval.KindAgainst}
		list = append(list, p.folderSource(f, a.Published))
	}
	return list
}

func (p *pipeline) folderSource(f labelled, published string) source {
	return oneRow(f.name, false, func(ctx context.Context) (report.Row, error) {
		row, err := p.evalFolder(ctx, f)
		row.Published = published
		return row, err
	})
}

// networkSource is a trained network; published is the paper's row that its
// first row is.
func (p *pipeline) networkSource(name, checkpoint string, kind eval.Kind, published string) source {
	return source{p.wayTitles(name), true, func(ctx context.Context) ([]report.Row, error) {
		rows, err := p.evalNetwork(ctx, name, checkpoint, kind)
		if len(rows) > 0 && rows[0].Name == name {
			rows[0].Published = published
		}
		return rows, err
	}}
}
