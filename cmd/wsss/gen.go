package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/eachgpu"
	"wsss/gen"
	_ "wsss/gen/all" // methods
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
  wsss gen -config my.toml -job night      share the split with all processes of job "night"
  wsss gen -config my.toml -status         how far its jobs are, and what failed
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
	f := newFlags("gen", genIntro()).withConfig().withDevices()
	var opts pipeline.GenOptions
	shard := f.String("shard", "", "only part `i/n` of the split, 0 <= i < n")
	f.StringVar(&opts.Split, "split", "", "label this `split` instead of data.train_split")
	var sweep list
	f.Var(&sweep, "sweep", "instead of labelling, try values of a key and rank them, as `gen.KEY=a,b,c` or gen.KEY=FROM:TO:STEP; may be repeated")
	images := f.Int("sweep-images", 0, "try on so many images, spread over the split; 0 = all")
	job := f.String("job", "", "share the split with every process that names this `job`, on any machine, by leases in OUT; images that fail are listed at the end")
	lease := f.Duration("lease", time.Minute, "with -job: the `time` after which a process that says nothing is dead, and others do its images")
	retry := f.Bool("retry-failed", false, "with -job: also try images again that failed in this job")
	status := f.Bool("status", false, "only tell how far the jobs are (-job: that one), from their files alone")
	gpus := f.String("gpus", "", "with -job: one process for each of `n` GPUs, or all, each with a GPU of its own")
	f.BoolVar(&opts.KeepGoing, "keep-going", false, "go on after an image that fails; list the failures at the end")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if *images != 0 && len(sweep) == 0 || *images < 0 {
		return pipeline.Usagef("gen: -sweep-images %d: allowed is a number of images, or 0 for all, and -sweep beside it", *images)
	}
	if err := pipeline.CheckJob(*job, *shard, len(sweep) > 0, *retry, *lease); err != nil {
		return err
	}
	if *status {
		cfg, err := f.load()
		if err != nil {
			return err
		}
		return pipeline.GenStatus(cfg, *job, stdout)
	}
	if *gpus != "" {
		if *job == "" || f.devices != 0 {
			return pipeline.Usagef("gen: -gpus goes with -job, by which its processes share the work, and without -devices")
		}
		list, err := eachgpu.List(*gpus)
		if err != nil {
			return err
		}
		return eachgpu.Run(ctx, list, append([]string{"gen"}, eachgpu.WithoutFlag(args, "gpus")...), stdout, stderr)
	}
	if *job != "" {
		opts.Job = &gen.Job{Name: *job, Expire: *lease, Retry: *retry}
	}
	var err error
	if opts.Shard, err = gen.ParseShard(*shard); err != nil {
		return pipeline.UsageError{Err: err}
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	if err := p.Preflight(pipeline.Parts{Gen: true}); err != nil {
		return err
	}
	if len(sweep) > 0 {
		return p.Sweep(ctx, sweep, *images, opts)
	}
	if opts.Job != nil {
		return p.GenJob(ctx, opts)
	}
	if err := p.Gen(ctx, opts); err != nil {
		return pipeline.SayKeepGoing(err)
	}
	return pipeline.SayKeepGoing(p.Compare(ctx, opts))
}
