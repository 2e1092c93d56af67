package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"wsss/configs"
	"wsss/data"
	"wsss/data/words"
	"wsss/eval"
	"wsss/gen"
	_ "wsss/gen/all" // methods
	"wsss/models/backend"
)

func init() {
	register(command{name: "gen", short: "stage one: weak labels to pseudo-label masks", run: runGen})
}

func genIntro() string {
	var b strings.Builder
	b.WriteString(`
wsss gen labels the images of the training split from their weak labels and
writes OUT/gen/<id>.png (palette, 255 = undecided) and OUT/gen/<id>.json (the
masks, their scores and prompts, and what made them). Images that are done
already under the same config are skipped, so the command can be killed and
begun again, and several processes or machines may work on one folder. What was
edited since, a box, a photo, a class name, is noticed and made again.

  wsss gen -config my.toml
  wsss gen -config my.toml -set gen.weak=points
  wsss gen -config my.toml -shard 3/8      part 3 of 8, for array jobs
  wsss gen -config my.toml -sweep gen.fuse.min_area=0,50,200 -sweep-images 100

Methods (gen.method), and the weak labels they take (gen.weak):
`)
	for _, name := range gen.Methods() {
		spec, _ := gen.Lookup(name)
		fmt.Fprintf(&b, "  %-12s %s\n", name, spec.Doc)
	}
	fmt.Fprintf(&b, `
Where masks overlap, gen.fuse.rule decides (%s), after
gen.fuse.priority, the classes that lie on top: ["person", "dog"]. Words for
look-alikes keep them out: gen.options.negative.cat = ["toy cat"] (grounded-sam,
sam-auto with a namer). docs/models.md lists all keys.
`, strings.Join(gen.Rules(), ", "))
	return b.String()
}

func runGen(ctx context.Context, args []string) error {
	f := newFlags("gen", genIntro()).withConfig()
	var opts genOptions
	shard := f.String("shard", "", "only part `i/n` of the split, 0 <= i < n")
	f.StringVar(&opts.split, "split", "", "label this `split` instead of data.train_split")
	var sweep list
	f.Var(&sweep, "sweep", "instead of labelling, try values of a key and rank them, as `gen.KEY=a,b,c` or gen.KEY=FROM:TO:STEP; may be repeated")
	images := f.Int("sweep-images", 0, "try on so many images, spread over the split; 0 = all")
	f.BoolVar(&opts.keepGoing, "keep-going", false, "go on after an image that fails; list the failures at the end")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *images != 0 && len(sweep) == 0 || *images < 0 {
		return usagef("gen: -sweep-images %d: allowed is a number of images, or 0 for all, and -sweep beside it", *images)
	}
	var err error
	if opts.shard, err = gen.ParseShard(*shard); err != nil {
		return usageError{err}
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	if err := p.preflight(parts{gen: true}); err != nil {
		return err
	}
	if len(sweep) > 0 {
		return p.sweep(ctx, sweep, *images, opts)
	}
	if err := p.gen(ctx, opts); err != nil {
		return sayKeepGoing(err)
	}
	return sayKeepGoing(p.compare(ctx, opts))
}

// genOptions are the choices of one call of the stage, beside the config.
type genOptions struct {
	split     string
	shard     gen.Shard
	keepGoing bool
}

// gen runs stage one.
func (p *pipeline) gen(ctx context.Context, o genOptions) error {
	return p.label(ctx, labeller{"", p.cfg.Gen}, p.labelsDir(), o)
}

// labeller is a stage one of the run, and what its errors begin with.
type labeller struct {
	title string
	configs.Gen
}

// labellers are [gen] and the [[compare]] rows.
func (p *pipeline) labellers() []labeller {
	list := []labeller{{"", p.cfg.Gen}}
	for _, c := range p.cfg.Compare {
		list = append(list, labeller{fmt.Sprintf("compare %q: ", c.Name), c.Gen(p.cfg.Gen.Workers)})
	}
	return list
}

// needs is what methods read beside the data, and an error where one, or an
// option of it, is wrong: before any of them begins to work.
func (p *pipeline) needs(list []labeller) (gen.Needs, error) {
	var n gen.Needs
	for _, l := range list {
		err := gen.CheckWeak(l.Gen)
		var more gen.Needs
		if err == nil {
			more, err = gen.NeedsOf(l.Gen)
		}
		if err == nil && p.ds != nil {
			if _, err = gen.NewFuser(l.Gen.Fuse, p.ds.Classes()); err == nil {
				err = gen.CheckClasses(l.Gen, p.ds.Classes())
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
func (p *pipeline) wrong(l labeller, err error) error {
	return inFile(p.file, usagef("%s%w", l.title, err))
}

// compare makes the pseudo-labels of the [[compare]] rows.
func (p *pipeline) compare(ctx context.Context, o genOptions) error {
	var failed []error
	for i, l := range p.labellers()[1:] {
		o, c := o, p.cfg.Compare[i]
		if o.split == "" {
			o.split = c.Split
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
func (p *pipeline) compareDir(c configs.Compare) string {
	return filepath.Join(filepath.Dir(p.labelsDir()), "compare", fileName(c.Name))
}

// label runs a labeller over a split.
func (p *pipeline) label(ctx context.Context, l labeller, dir string, o genOptions) error {
	method, env, err := p.methodIn(l)
	if err != nil {
		return err
	}
	g := l.Gen
	cfg := p.cfg
	cfg.Gen = g
	if o.split == "" {
		o.split = cfg.Data.TrainSplit
	}
	var sum gen.Summary
	start := time.Now()
	err = p.stage(ctx, fmt.Sprintf("gen %s from %s", g.Method, g.Weak), func(progress func(done, total int)) error {
		sum, err = gen.Run(ctx, gen.RunOptions{
			Dataset: p.ds, Split: o.split, Method: method, Name: g.Method,
			Weak: data.WeakKind(g.Weak), Fuse: g.Fuse, OutDir: dir,
			ConfigHash: cfg.GenHash(), Config: cfg.TOML(), Weights: gen.WeightsOf(method), Versions: versions(), Hashes: p.hashes, Env: env,
			Workers: g.Workers, Shard: o.shard, ByShape: p.eng != nil && backend.KindOf(p.eng) == backend.XLA, KeepGoing: o.keepGoing, Checks: g.Checks, Progress: progress, Learning: p.lesson(g.Method),
		})
		return err
	})
	p.explainChanges(sum)
	p.explainGen(sum, g.Weak)
	p.saveHashes()
	if o.shard == (gen.Shard{}) { // the wall clock of one of many says little
		// What a call made before it was stopped counts, images and time alike.
		err = errors.Join(err, eval.RecordSpeed(dir, cfg.GenHash(), sum.Generated, time.Since(start), sum.Times.Seconds()))
	}
	if err != nil && l.title != "" {
		return fmt.Errorf("%s%w", l.title, err)
	}
	return err
}

// lesson shows how far a method is that learns from the split before it labels.
func (p *pipeline) lesson(method string) func(done, total int) {
	var b stage
	return func(done, total int) {
		if b == nil {
			b = p.bar(method + " looks at the split")
		}
		if b.Update(done, total); done == total {
			b.Finish()
		}
	}
}

// method builds a labeller's method.
func (p *pipeline) method(l labeller) (gen.Method, error) {
	method, _, err := p.methodIn(l)
	return method, err
}

// methodIn also gives what the method was made from.
func (p *pipeline) methodIn(l labeller) (gen.Method, gen.Env, error) {
	needsBackend, err := gen.NeedsBackend(l.Gen)
	if err != nil {
		return nil, gen.Env{}, p.wrong(l, err)
	}
	p.warnDebugSize(l.Gen)
	env := gen.Env{Classes: p.ds.Classes(), Weak: data.WeakKind(l.Weak), Seed: p.cfg.Seed, Gen: l.Gen}
	if needsBackend {
		if env.Backend, err = p.backend(); err != nil {
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
func (p *pipeline) explainGen(s gen.Summary, kind string) {
	if n := s.Unlabelled - s.Rejected; n > 0 {
		p.alert("  left out: %d of %d images, which have no %s", n, s.Images, kind)
	}
	if s.Rejected > 0 {
		p.alert("  left out: %d of %d images, which were rejected in review", s.Rejected, s.Images)
	}
	if s.Corrected > 0 {
		p.say("  %s with what was corrected in review", words.Count(s.Corrected, "label", "labels"))
	}
	if s.Generated == 0 {
		return
	}
	p.say("  %d masks; time: %v", s.Masks, s.Times)
	if s.Empty > 0 {
		p.say("  note: without a mask, and all background: %s", words.Plural(s.Empty, "image"))
	}
	if s.Noted > 0 {
		p.say("  note: %d masks carry a note in their sidecar, such as a prompt too weak to trust, or an imported label of only 0 and 255", s.Noted)
	}
}

// checkGenerated is a clear error where a later stage lacks gen's output.
func checkGenerated(dir string) error {
	if _, err := gen.ReadManifest(dir); err != nil {
		return errors.New("there are no pseudo-labels in " + dir + " yet: run `wsss gen` (or `wsss run`) with this config first")
	}
	return nil
}
