package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/eval/report"
	"wsss/train/classifier"
	"wsss/train/clip"
)

// chain is the config that the flags name, behind those that it needs.
func (f *flags) chain() ([]configs.Link, error) {
	if _, err := f.load(); err != nil {
		return nil, err
	}
	return readChain(f.config, f.set, f.chooseBackend)
}

// readChain is a config behind those that it needs. A config that trains a
// classifier and has no [train] trains no network. choose may change each.
func readChain(file string, set []string, choose func(*configs.Config) error) ([]configs.Link, error) {
	links, err := configs.Chain(file, set)
	if err != nil {
		return nil, usageError{err}
	}
	for i := range links {
		l := &links[i]
		if err := choose(&l.Config); err != nil {
			return nil, inFile(l.File, err)
		}
		if len(ownTrainings(*l)) > 0 && !l.Tables["train"] {
			l.Config.Train.Skip = true
		}
	}
	return links, nil
}

// ownTraining is a training of a classifier that a config has a table for.
type ownTraining struct {
	table, command string
	file           string // that it makes, below the run's folder
	hash           func(configs.Config) string
	run            func(p *pipeline, ctx context.Context) error
	plan           func(p *plan) error
}

func classifierTrainings() []ownTraining {
	return []ownTraining{
		{
			"classifier", "train-classifier", filepath.Join("classifier", classifier.File), configs.Config.ClassifierHash,
			func(p *pipeline, ctx context.Context) error { return p.trainClassifier(ctx) }, (*plan).classifier,
		},
		{"finetune_clip", "finetune-clip", filepath.Join("finetune", clip.ClassifierFile), configs.Config.FineTuneHash, (*pipeline).fineTuneOnce, (*plan).fineTune},
	}
}

// ownTrainings are the classifiers that a config trains before it labels: those
// whose table it has, if its labels read them, or if it trains no network.
func ownTrainings(l configs.Link) []ownTraining {
	var list []ownTraining
	for _, t := range classifierTrainings() {
		if !l.Tables[t.table] {
			continue
		}
		needs, err := (&pipeline{cfg: l.Config}).needs((&pipeline{cfg: l.Config}).labellers())
		reads := false
		for _, f := range needs.Files {
			reads = reads || err == nil && filepath.Clean(f) == filepath.Join(l.Config.Out, t.file)
		}
		if reads || !l.Tables["train"] {
			list = append(list, t)
		}
	}
	return list
}

// labelsToo tells whether a config does more than its own trainings.
func labelsToo(l configs.Link) bool {
	return len(ownTrainings(l)) == 0 || l.Tables["gen"] || l.Tables["compare"] || l.Tables["train"] || l.Tables["eval"]
}

// done tells whether a training of a config has ended: as far as its config
// goes, and without a look at its data.
func (t ownTraining) done(cfg configs.Config) bool {
	file := filepath.Join(cfg.Out, t.file)
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(file), resultFile))
	var r struct {
		Config string `json:"config"`
	}
	return err == nil && files.Exists(file) && json.Unmarshal(raw, &r) == nil && r.Config == t.hash(cfg)
}

// onlyTrained tells whether all that a config makes is classifiers, which are
// done.
func onlyTrained(l configs.Link) bool {
	for _, t := range ownTrainings(l) {
		if !t.done(l.Config) {
			return false
		}
	}
	return !labelsToo(l)
}

// makeNeeds does what the last config of a chain needs.
func makeNeeds(ctx context.Context, links []configs.Link, o options) error {
	for _, l := range links[:len(links)-1] {
		if err := makeNeed(ctx, l, o); err != nil {
			return fmt.Errorf("%s: %w", l.File, err)
		}
	}
	return nil
}

func makeNeed(ctx context.Context, l configs.Link, o options) error {
	p, err := openLink(l, o)
	if errors.As(err, new(missingError)) && onlyTrained(l) {
		return nil // its data may have gone since
	}
	if err != nil {
		return err
	}
	defer p.close()
	p.say("needs %s → %s", l.File, l.Config.Out)
	_, err = p.link(ctx, l)
	return errors.Join(append(p.failed, err)...)
}

// link runs one config of a chain; rows are the scores of what it labels.
func (p *pipeline) link(ctx context.Context, l configs.Link) (rows []report.Row, err error) {
	for _, t := range ownTrainings(l) {
		if err := t.run(p, ctx); err != nil {
			return nil, err
		}
	}
	if !labelsToo(l) {
		return nil, nil
	}
	return p.all(ctx)
}

// fineTuneOnce is the whole of `wsss finetune-clip`, unless it has been done.
func (p *pipeline) fineTuneOnce(ctx context.Context) error {
	if classifierTrainings()[1].done(p.cfg) {
		p.say("CLIP is fine-tuned: %s; `wsss finetune-clip` looks for changes of its data", p.path("finetune"))
		return nil
	}
	val, err := p.validationData()
	if err != nil {
		return err
	}
	l, err := p.fineTuneWhole(ctx, val)
	if err != nil {
		return err
	}
	return l.Close()
}

// planChain describes a chain; lacks are what it cannot begin without.
func planChain(links []configs.Link, w io.Writer, o options) (lacks []string, err error) {
	var outs []string
	for i, l := range links {
		o.file = l.File
		p := &plan{pipeline: &pipeline{options: o, cfg: l.Config}, w: w, outs: outs}
		outs = append(outs, l.Config.Out)
		if i < len(links)-1 {
			fmt.Fprintf(w, "first, what it needs: %s → %s\n", l.File, l.Config.Out)
			if onlyTrained(l) {
				fmt.Fprint(w, "done\n\n")
				continue
			}
		}
		if err := p.link(l); err != nil {
			return nil, err
		}
		for _, lack := range p.lacks {
			if !slices.Contains(lacks, lack) {
				lacks = append(lacks, lack)
			}
		}
		if i < len(links)-1 {
			fmt.Fprintln(w)
		}
	}
	return lacks, nil
}

// link describes one config of a chain.
func (p *plan) link(l configs.Link) error {
	whole := parts{gen: true, train: true, eval: true}
	if labelsToo(l) {
		if err := p.check(whole); err != nil {
			return err
		}
		if err := p.checkNames(p.sources()); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.w, "%s\nseed %d, backend %s\n", p.cfg.Name, p.cfg.Seed, cmp.Or(p.cfg.Backend, "the fastest that works here"))
	for _, t := range ownTrainings(l) {
		fmt.Fprintf(p.w, "\n[%s], as wsss %s -config %s\n", t.table, t.command, p.file)
		if err := t.plan(p); err != nil {
			return err
		}
	}
	if !labelsToo(l) {
		return nil
	}
	return p.describe(whole)
}
