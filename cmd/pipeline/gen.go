package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"wsss/checkpoints/jobs"
	"wsss/configs"
	"wsss/data"
	"wsss/data/words"
	"wsss/eval"
	"wsss/gen"
	_ "wsss/gen/all" // methods
	"wsss/models/backend"
)

// GenOptions are the choices of one call of the stage, beside the config.
type GenOptions struct {
	Split     string
	Shard     gen.Shard
	KeepGoing bool
	Job       *gen.Job // nil: this process does all of the shard
}

// Gen runs stage one.
func (p *Run) Gen(ctx context.Context, o GenOptions) error {
	p.tellLeftOut()
	return p.label(ctx, Labeller{"", p.Config.Gen}, p.labelsDir(), o)
}

// tellLeftOut says which labels are of classes that the config does not name: what
// they mark counts as background.
func (p *Run) tellLeftOut() {
	ds, ok := data.As[interface{ LeftOut() []string }](p.Dataset)
	if !ok {
		return
	}
	for _, line := range ds.LeftOut() {
		p.once("note: %s", line)
	}
}

// Labeller is a stage one of the run, and what its errors begin with.
type Labeller struct {
	title string
	configs.Gen
}

// labellers are [gen] and the [[compare]] rows.
func (p *Run) labellers() []Labeller {
	list := []Labeller{{"", p.Config.Gen}}
	for _, c := range p.Config.Compare {
		list = append(list, Labeller{fmt.Sprintf("compare %q: ", c.Name), c.Gen(p.Config.Gen.Workers)})
	}
	return list
}

// needs is what methods read beside the data, and an error where one, or an
// option of it, is wrong: before any of them begins to work.
func (p *Run) needs(list []Labeller) (gen.Needs, error) {
	var n gen.Needs
	for _, l := range list {
		err := gen.CheckWeak(l.Gen)
		var more gen.Needs
		if err == nil {
			more, err = gen.NeedsOf(l.Gen)
		}
		if err == nil && p.Dataset != nil {
			if _, err = gen.NewFuser(l.Gen.Fuse, p.Dataset.Classes()); err == nil {
				err = gen.CheckClasses(l.Gen, p.Dataset.Classes())
			}
		}
		if err != nil {
			return n, p.wrong(l, err)
		}
		n.Add(more)
	}
	return n, nil
}

// wrong is an error of what the config says about a labeller.
func (p *Run) wrong(l Labeller, err error) error {
	return InFile(p.File, Usagef("%s%w", l.title, err))
}

// Compare makes the pseudo-labels of the [[compare]] rows.
func (p *Run) Compare(ctx context.Context, o GenOptions) error {
	var failed []error
	for i, l := range p.labellers()[1:] {
		o, c := o, p.Config.Compare[i]
		if o.Split == "" {
			o.Split = c.Split
		}
		err := p.label(ctx, l, p.compareDir(c), o)
		if some := (*gen.FailedError)(nil); errors.As(err, &some) {
			failed = append(failed, err)
		} else if err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// compareDir is where the labels of a [[compare]] row lie, beside those of gen.
func (p *Run) compareDir(c configs.Compare) string {
	return filepath.Join(filepath.Dir(p.labelsDir()), "compare", FileName(c.Name))
}

// label runs a labeller over a split.
func (p *Run) label(ctx context.Context, l Labeller, dir string, o GenOptions) error {
	method, env, err := p.methodIn(l)
	if err != nil {
		return err
	}
	others, err := p.copies(l, env)
	if err != nil {
		return err
	}
	g := l.Gen
	cfg := p.Config
	cfg.Gen = g
	if o.Split == "" {
		o.Split = cfg.Data.TrainSplit
	}
	hashes := p.hashes
	if o.Job != nil { // every image is read anyway, and a list of all would grow with them
		hashes = nil
	}
	p.noteAtOnce(g.Workers)
	var sum gen.Summary
	start := time.Now()
	err = p.Step(ctx, fmt.Sprintf("gen %s from %s", g.Method, g.Weak), func(progress func(done, total int)) error {
		sum, err = gen.Run(ctx, gen.RunOptions{
			Dataset: p.Dataset, Split: o.Split, Method: method, Others: others, Name: g.Method,
			Weak: data.WeakKind(g.Weak), Fuse: g.Fuse, OutDir: dir,
			ConfigHash: cfg.GenHash(), Config: configText(cfg), Weights: gen.WeightsOf(method), Versions: Versions(), Hashes: hashes, Env: env,
			Workers: g.Workers, Shard: o.Shard, Job: o.Job, ByShape: p.Backend != nil && backend.KindOf(p.Backend) == backend.XLA, KeepGoing: o.KeepGoing, Checks: g.Checks, Progress: progress, Learning: p.lesson(g.Method),
		})
		return err
	})
	p.explainChanges(sum)
	p.explainGen(sum, g.Weak)
	for _, w := range gen.Warnings(method) {
		p.Alert("  warning: %s", w)
	}
	p.saveHashes()
	if o.Shard == (gen.Shard{}) && o.Job == nil { // the wall clock of one of many says little
		// What a call made before it was stopped counts, images and time alike.
		err = errors.Join(err, p.noteChanges(l.title, sum), eval.RecordSpeed(dir, cfg.GenHash(), sum.Generated, time.Since(start), sum.Times.Seconds()))
	}
	if errors.As(err, new(*jobs.OtherError)) { // so it will be each time
		err = UsageError{Err: err}
	}
	if err != nil && l.title != "" {
		return fmt.Errorf("%s%w", l.title, err)
	}
	return err
}

// noteAtOnce says that runs of more photos than are asked for at a time cost as much
// and give no more.
func (p *Run) noteAtOnce(workers int) {
	if n, err := backend.AskedAtOnce(); err == nil && p.Backend != nil {
		if asking := data.Workers(workers); n > asking {
			p.once("%s = %d, but %s at a time (gen.workers): a network that takes photos together computes %d in each run all the same", backend.EnvAtOnce, n, words.Count(asking, "photo is labelled", "photos are labelled"), n)
		}
	}
}

// lesson shows how far a method is that learns from the split before it labels.
func (p *Run) lesson(method string) func(done, total int) {
	var b Stage
	return func(done, total int) {
		if b == nil {
			b = p.bar(method + " looks at the split")
		}
		if b.Update(done, total); done == total {
			b.Finish()
		}
	}
}

// Method builds a labeller's method.
func (p *Run) Method(l Labeller) (gen.Method, error) {
	method, _, err := p.methodIn(l)
	return method, err
}

// copies are the method that env made, on the further devices.
func (p *Run) copies(l Labeller, env gen.Env) (list []gen.Method, err error) {
	if env.Backend == nil {
		return nil, nil
	}
	for _, b := range p.others {
		env.Backend = b
		m, err := gen.New(env)
		if err != nil {
			return nil, p.wrong(l, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// methodIn also gives what the method was made from.
func (p *Run) methodIn(l Labeller) (gen.Method, gen.Env, error) {
	needsBackend, err := gen.NeedsBackend(l.Gen)
	if err != nil {
		return nil, gen.Env{}, p.wrong(l, err)
	}
	p.warnDebugSize(l.Gen)
	env := gen.Env{Classes: p.Dataset.Classes(), Weak: data.WeakKind(l.Weak), Seed: p.Config.Seed, Gen: l.Gen}
	if needsBackend {
		if env.Backend, err = p.OpenBackend(); err != nil {
			return nil, env, err
		}
	}
	method, err := gen.New(env)
	if err != nil {
		return nil, env, p.wrong(l, err)
	}
	return method, env, nil
}

// explainGen says what a reader of the numbers should know.
func (p *Run) explainGen(s gen.Summary, kind string) {
	if n := s.Unlabelled - s.Rejected; n > 0 {
		p.Alert("  left out: %d of %d images, which have no %s", n, s.Images, kind)
	}
	if s.Rejected > 0 {
		p.Alert("  left out: %d of %d images, which were rejected in review", s.Rejected, s.Images)
	}
	if s.Corrected > 0 {
		p.Say("  %s with what was corrected in review", words.Count(s.Corrected, "label", "labels"))
	}
	if s.Generated == 0 {
		return
	}
	p.Say("  %s; time: %v", words.Plural(s.Masks, "mask"), s.Times)
	if s.Empty > 0 {
		p.Say("  note: without a mask, and all background: %s", words.Plural(s.Empty, "image"))
	}
	if s.Noted > 0 {
		p.Say("  note: %s a note in the sidecar, such as of a prompt too weak to trust, or of an imported label of only 0 and 255", words.Count(s.Noted, "mask carries", "masks carry"))
	}
}

// checkGenerated is a clear error where a later stage lacks gen's output.
func checkGenerated(dir string) error {
	if _, err := gen.ReadManifest(dir); err != nil {
		return errors.New("there are no pseudo-labels in " + dir + " yet: run `wsss gen` (or `wsss run`) with this config first")
	}
	return nil
}
