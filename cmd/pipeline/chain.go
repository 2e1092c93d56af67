package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/eval/report"
	"wsss/train/classifier"
	"wsss/train/clip"
	"wsss/train/irn"
)

// ReadChain is a config behind those that it needs. A config that trains a
// classifier and has no [train] trains no network. choose may change each.
func ReadChain(file string, set []string, choose func(*configs.Config) error) ([]configs.Link, error) {
	links, err := configs.Chain(file, set)
	if err != nil {
		return nil, UsageError{Err: err}
	}
	for i := range links {
		l := &links[i]
		if err := choose(&l.Config); err != nil {
			return nil, InFile(l.File, err)
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
	run            func(p *Run, ctx context.Context) error
	plan           func(p *Plan) error
}

func classifierTrainings() []ownTraining {
	return []ownTraining{
		{
			"classifier", "train-classifier", filepath.Join("classifier", classifier.File), configs.Config.ClassifierHash,
			func(p *Run, ctx context.Context) error { return p.TrainClassifier(ctx) }, (*Plan).classifier,
		},
		{"irn", "train-irn", filepath.Join("irn", irn.File), configs.Config.IRNHash, (*Run).TrainIRN, (*Plan).irn},
		{"finetune_clip", "finetune-clip", filepath.Join("finetune", clip.ClassifierFile), configs.Config.FineTuneHash, (*Run).fineTuneOnce, (*Plan).fineTune},
	}
}

// trainingOf is the one of a table.
func trainingOf(table string) ownTraining {
	all := classifierTrainings()
	return all[slices.IndexFunc(all, func(t ownTraining) bool { return t.table == table })]
}

// ownTrainings are the classifiers that a config trains before it labels: those
// whose table it has, if its labels read them, or if it trains no network.
func ownTrainings(l configs.Link) []ownTraining {
	var list []ownTraining
	for _, t := range classifierTrainings() {
		if !l.Tables[t.table] {
			continue
		}
		needs, err := (&Run{Config: l.Config}).needs((&Run{Config: l.Config}).labellers())
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
	return len(ownTrainings(l)) == 0 || l.Tables["gen"] || l.Tables["compare"] || l.Tables["train"]
}

// done tells whether a training of a config has ended: as far as its config
// goes, and without a look at its data.
func (t ownTraining) done(cfg configs.Config) bool {
	file := filepath.Join(cfg.Out, t.file)
	raw, err := files.ReadFile(filepath.Join(filepath.Dir(file), resultFile))
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

// RunChain does what the last config of a chain describes, and before it what it
// needs; what is missing is told before any of it begins. show is called with the
// scores of what is labelled. The error at the end lists the images that failed.
func RunChain(ctx context.Context, links []configs.Link, o Options, show func(p *Run, rows []report.Row)) error {
	if len(links) > 1 { // before days of work
		lacks, err := planChain(links, io.Discard, o)
		if err != nil {
			return err
		}
		if len(lacks) > 0 {
			return MissingError{Lacks: lacks}
		}
		if err := makeNeeds(ctx, links, o); err != nil {
			return err
		}
	}
	last := links[len(links)-1]
	p, err := OpenAlone(last, o)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := checkFree(p.Config, p.Networks()...); err != nil {
		return err
	}
	rows, err := p.Link(ctx, last)
	if err != nil {
		return err
	}
	show(p, rows)
	return errors.Join(p.Failed...)
}

// makeNeeds does what the last config of a chain needs.
func makeNeeds(ctx context.Context, links []configs.Link, o Options) error {
	for _, l := range links[:len(links)-1] {
		if err := makeNeed(ctx, l, o); err != nil {
			return fmt.Errorf("%s: %w", l.File, err)
		}
	}
	return nil
}

func makeNeed(ctx context.Context, l configs.Link, o Options) error {
	p, err := OpenAlone(l, o)
	if errors.As(err, new(MissingError)) && onlyTrained(l) {
		return nil // its data may have gone since
	}
	if err != nil {
		return err
	}
	defer p.Close()
	p.Say("needs %s → %s", l.File, files.Address(l.Config.Out))
	_, err = p.Link(ctx, l)
	return errors.Join(append(p.Failed, err)...)
}

// Link runs one config of a chain; rows are the scores of what it labels.
func (p *Run) Link(ctx context.Context, l configs.Link) (rows []report.Row, err error) {
	for _, t := range ownTrainings(l) {
		if err := t.run(p, ctx); err != nil {
			return nil, err
		}
	}
	if !labelsToo(l) {
		return nil, nil
	}
	return p.All(ctx)
}

// fineTuneOnce is the whole of `wsss finetune-clip`, unless it has been done.
func (p *Run) fineTuneOnce(ctx context.Context) error {
	if trainingOf("finetune_clip").done(p.Config) {
		p.Say("CLIP is fine-tuned: %s; `wsss finetune-clip` looks for changes of its data", files.Address(p.Path("finetune")))
		return nil
	}
	return p.FineTuneAndTag(ctx, TagOptions{})
}

// planChain describes a chain; lacks are what it cannot begin without.
func planChain(links []configs.Link, w io.Writer, o Options) (lacks []string, err error) {
	var outs []string
	for i, l := range links {
		o.File = l.File
		p := &Plan{Run: &Run{Options: o, Config: l.Config}, Print: w, outs: outs}
		outs = append(outs, l.Config.Out)
		if i < len(links)-1 {
			fmt.Fprintf(w, "first, what it needs: %s → %s\n", l.File, l.Config.Out)
			if onlyTrained(l) {
				fmt.Fprint(w, "done\n\n")
				continue
			}
		}
		if err := p.Link(l); err != nil {
			return nil, err
		}
		for _, lack := range p.Lacks {
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

// Link describes one config of a chain.
func (p *Plan) Link(l configs.Link) error {
	whole := Parts{Gen: true, Train: true, Eval: true}
	if labelsToo(l) {
		if err := p.check(whole); err != nil {
			return err
		}
		if err := p.checkNames(p.Sources()); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.Print, "%s\nseed %d, backend %s\n", p.Config.Name, p.Config.Seed, cmp.Or(p.Config.Backend, "the fastest that works here"))
	for _, t := range ownTrainings(l) {
		fmt.Fprintf(p.Print, "\n[%s], as wsss %s -config %s\n", t.table, t.command, p.File)
		if err := t.plan(p); err != nil {
			return err
		}
	}
	if !labelsToo(l) {
		return nil
	}
	return p.describe(whole)
}

// DryRun checks everything that can be checked of a chain without working, and prints what
// it would do. Data and weights may be absent: the plan says what is missing, and how to
// get it, and the error is a MissingError.
func DryRun(links []configs.Link, w io.Writer, o Options) error {
	lacks, err := planChain(links, w, o)
	if err != nil {
		return err
	}
	return missingFrom(w, lacks)
}
