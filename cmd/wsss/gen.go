package main

import (
	"context"
	"time"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/eachgpu"
	"wsss/gen"
	_ "wsss/gen/all" // methods
)

func runGen(ctx context.Context, args []string) error {
	f := newFlags("gen").withConfig().withDevices()
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
